/* Protocols and ports as classes. */
#include "classify_parts.h"

#define TABLE_MOST (UINT64_C(1) << 24) /* entries of the table over both ports and protocol */

/* One of the three fields: for each of its values the row of boxes that hold the value. */
struct field {
    uint32_t values;
    uint16_t *row_of; /* of each value */
    uint64_t *rows;   /* of bits, one for each box */
    uint64_t room;
    uint32_t count;
};

struct survey {
    struct mg_tables *t;
    struct mg_box *boxes; /* each distinct one once */
    uint32_t box_count, words;
    struct mg_lists sets_of_box;
    struct field sport, dport, protocol;
};

static bool box_is_sound(const struct mg_box *box)
{
    return box->protocol <= MG_ANY_PROTOCOL && box->sport_low <= box->sport_high && box->dport_low <= box->dport_high;
}

static bool is_new_row(struct mg_map *map, const uint64_t *row, uint32_t words, struct mg_hash *hash, uint32_t **number)
{
    *hash = mg_hash_words(map->owner->budget, row, (uint64_t)words * 2);
    *number = mg_map_at(map, *hash);
    return *number && **number == MG_UNSET;
}

/* Sweep over the values of a field; `toggles` lists the boxes that begin or stop holding at a value. */
static bool sweep(struct survey *s, struct field *field, const struct mg_lists *toggles)
{
    uint64_t *row = mg_take_zeroed(&s->t->scratch, s->words, sizeof *row);
    uint32_t *number = NULL, current = 0;
    struct mg_hash hash;
    struct mg_map map;

    field->row_of = mg_take(&s->t->scratch, field->values, sizeof *field->row_of);
    if (!row || !field->row_of || !mg_map_open(&map, &s->t->scratch, 256))
        return false;
    for (uint32_t value = 0; value < field->values; value++) {
        uint32_t i = toggles->offsets[value], end = toggles->offsets[value + 1];

        if (i == end && value) {
            field->row_of[value] = (uint16_t)current;
            continue;
        }
        for (; i < end; i++)
            row[toggles->items[i] / 64] ^= UINT64_C(1) << toggles->items[i] % 64;
        if (is_new_row(&map, row, s->words, &hash, &number)) {
            if (!mg_reserve(&s->t->scratch, &field->rows, &field->room, (uint64_t)(field->count + 1) * s->words, 8))
                return false;
            memcpy(field->rows + (uint64_t)field->count * s->words, row, s->words * sizeof *row);
            *number = field->count++;
        }
        if (!number)
            return false;
        current = *number;
        field->row_of[value] = (uint16_t)current;
    }
    mg_give(&s->t->scratch, row);
    mg_map_close(&map);
    return true;
}

enum which { SPORT, DPORT, PROTOCOL };

static struct mg_range box_range(const struct mg_box *box, enum which which)
{
    if (which == SPORT)
        return (struct mg_range){box->sport_low, box->sport_high + 1u};
    if (which == DPORT)
        return (struct mg_range){box->dport_low, box->dport_high + 1u};
    if (box->protocol == MG_ANY_PROTOCOL)
        return (struct mg_range){0, 256};
    return (struct mg_range){box->protocol, box->protocol + 1u};
}

static bool survey_field(struct survey *s, struct field *field, enum which which)
{
    struct mg_pair *pairs = mg_take(&s->t->scratch, 2 * (uint64_t)s->box_count, sizeof *pairs);
    struct mg_lists toggles = {NULL, NULL};
    bool swept;

    if (!pairs)
        return false;
    field->values = which == PROTOCOL ? 256 : 65536;
    for (uint32_t i = 0; i < s->box_count; i++) {
        struct mg_range range = box_range(&s->boxes[i], which);

        pairs[2 * i] = (struct mg_pair){range.from, i};
        pairs[2 * i + 1] = (struct mg_pair){range.to, i};
    }
    swept = mg_gather(&s->t->scratch, &toggles, field->values + 1, pairs, 2 * (uint64_t)s->box_count) &&
            sweep(s, field, &toggles);
    mg_give(&s->t->scratch, pairs);
    mg_give(&s->t->scratch, toggles.offsets);
    mg_give(&s->t->scratch, toggles.items);
    return swept;
}

static bool collect_boxes(struct survey *s, const struct mg_policy *policy, const uint32_t *number_of_set)
{
    struct mg_pair *pairs = mg_take(&s->t->scratch, policy->service_sets.items, sizeof *pairs);
    uint64_t count = 0;
    struct mg_map map;

    s->boxes = mg_take(&s->t->scratch, policy->service_sets.items, sizeof *s->boxes);
    if (!pairs || !s->boxes || !mg_map_open(&map, &s->t->scratch, 256))
        return false;
    for (uint32_t set = 0; set < policy->service_sets.count; set++) {
        if (number_of_set[set] == MG_UNSET)
            continue;
        for (uint32_t i = policy->service_sets.offsets[set]; i < policy->service_sets.offsets[set + 1]; i++) {
            const struct mg_box *box = &policy->boxes[i];
            uint64_t ports = (uint64_t)box->sport_low << 48 | (uint64_t)box->sport_high << 32 |
                             (uint64_t)box->dport_low << 16 | box->dport_high;
            struct mg_hash key = {mg_mixed(ports ^ mg_mixed(box->protocol + 1u)), ports};
            uint32_t *number = mg_map_at(&map, key);

            if (!number)
                return false;
            if (*number == MG_UNSET) {
                *number = s->box_count;
                s->boxes[s->box_count++] = *box;
            }
            pairs[count++] = (struct mg_pair){*number, number_of_set[set]};
        }
    }
    s->words = s->box_count / 64 + 1;
    mg_map_close(&map);
    return mg_gather(&s->t->scratch, &s->sets_of_box, s->box_count, pairs, count);
}

/* The service sets matched where these three rows meet, as bits in `matches`. */
static void match_sets(const struct survey *s, const uint64_t *one, const uint64_t *two, const uint64_t *three,
                       uint64_t *matches)
{
    memset(matches, 0, s->t->services.words * sizeof *matches);
    for (uint32_t word = 0; word < s->words; word++)
        for (uint64_t bits = one[word] & two[word] & three[word]; bits; bits &= bits - 1) {
            uint32_t box = word * 64 + (uint32_t)__builtin_ctzll(bits);

            for (uint32_t i = s->sets_of_box.offsets[box]; i < s->sets_of_box.offsets[box + 1]; i++)
                matches[s->sets_of_box.items[i] / 64] |= UINT64_C(1) << s->sets_of_box.items[i] % 64;
        }
}

static bool number_classes(struct survey *s, uint16_t *classes)
{
    struct mg_service_space *space = &s->t->services;
    uint64_t *row = mg_take(&s->t->scratch, space->words, sizeof *row), room = 0;
    uint32_t *number;
    struct mg_hash hash;
    struct mg_map map;

    if (!row || !mg_map_open(&map, &s->t->scratch, 256))
        return false;
    for (uint32_t i = 0; i < s->sport.count; i++)
        for (uint32_t j = 0; j < s->dport.count; j++)
            for (uint32_t k = 0; k < s->protocol.count; k++) {
                match_sets(s, s->sport.rows + (uint64_t)i * s->words, s->dport.rows + (uint64_t)j * s->words,
                           s->protocol.rows + (uint64_t)k * s->words, row);
                if (is_new_row(&map, row, space->words, &hash, &number)) {
                    if (space->class_count == 65535)
                        return mg_fail(&s->t->budget, MG_TOO_MANY);
                    if (!mg_reserve(&s->t->kept, &space->matches, &room,
                                    (uint64_t)(space->class_count + 1) * space->words, 8))
                        return false;
                    memcpy(space->matches + (uint64_t)space->class_count * space->words, row, space->words * 8);
                    *number = space->class_count++;
                }
                if (!number)
                    return false;
                *classes++ = (uint16_t)*number;
            }
    mg_give(&s->t->scratch, row);
    mg_map_close(&map);
    return true;
}

static uint32_t *steps_of(struct survey *s, const struct field *field, uint32_t step)
{
    uint32_t *steps = mg_take(&s->t->kept, field->values, sizeof *steps);

    for (uint32_t i = 0; steps && i < field->values; i++)
        steps[i] = field->row_of[i] * step;
    return steps;
}

static bool build_table(struct survey *s)
{
    struct mg_services *services = &s->t->lookup.services;
    uint64_t entries = (uint64_t)s->sport.count * s->dport.count * s->protocol.count;
    uint16_t *classes;

    if (entries > TABLE_MOST)
        return mg_fail(&s->t->budget, MG_TOO_LARGE);
    classes = mg_take(&s->t->kept, entries + 1, sizeof *classes); /* one more: lanes read four bytes */
    services->sport = steps_of(s, &s->sport, s->dport.count * s->protocol.count);
    services->dport = steps_of(s, &s->dport, s->protocol.count);
    services->protocol = steps_of(s, &s->protocol, 1);
    services->classes = classes;
    if (!classes || !services->sport || !services->dport || !services->protocol || !number_classes(s, classes))
        return false;
    classes[entries] = 0;
    services->count = s->t->services.class_count;
    return true;
}

bool mg_cut_services(struct mg_tables *t, const struct mg_policy *policy)
{
    struct mg_service_space *space = &t->services;
    struct survey s = {.t = t};
    uint32_t *number_of_set = mg_take(&t->scratch, policy->service_sets.count, sizeof *number_of_set);

    space->set_of_rule = mg_take(&t->kept, policy->rule_count, sizeof *space->set_of_rule);
    if (!number_of_set || !space->set_of_rule)
        return false;
    for (uint32_t i = 0; i < policy->service_sets.items; i++)
        if (!box_is_sound(&policy->boxes[i]))
            return mg_fail(&t->budget, MG_BAD_SERVICE);
    for (uint32_t i = 0; i < policy->service_sets.count; i++)
        number_of_set[i] = MG_UNSET;
    for (uint32_t i = 0; i < policy->rule_count; i++) {
        uint32_t *number = &number_of_set[policy->rules[i].services];

        if (*number == MG_UNSET)
            *number = space->sets++;
        space->set_of_rule[i] = *number;
    }
    space->words = space->sets / 64 + 1;
    return collect_boxes(&s, policy, number_of_set) && survey_field(&s, &s.sport, SPORT) &&
           survey_field(&s, &s.dport, DPORT) && survey_field(&s, &s.protocol, PROTOCOL) && build_table(&s);
}
