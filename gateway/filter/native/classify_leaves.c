/* Leaves of class-pair tables: which rule of a set decides, by service class. */
#include "classify_grid.h"

bool mg_vector_add(struct mg_owner *owner, struct mg_vector *vector, const uint32_t *words, uint32_t count)
{
    if (!mg_reserve(owner, &vector->at, &vector->room, vector->count + count, sizeof *vector->at))
        return false;
    memcpy(vector->at + vector->count, words, count * sizeof *words);
    vector->count += count;
    return true;
}

static bool find_classes(struct mg_leaves *l)
{
    const struct mg_service_space *space = &l->t->services;
    struct mg_pair *pairs = NULL;
    uint64_t count = 0, room = 0;
    bool gathered;

    for (uint32_t class = 0; class < space->class_count; class++)
        for (uint32_t word = 0; word < space->words; word++) {
            uint64_t bits = space->matches[(uint64_t)class * space->words + word];

            for (; bits; bits &= bits - 1) {
                if (!mg_reserve(l->owner, &pairs, &room, count + 1, sizeof *pairs))
                    return false;
                pairs[count++] = (struct mg_pair){word * 64 + (uint32_t)__builtin_ctzll(bits), class};
            }
        }
    gathered = mg_gather(l->owner, &l->classes_of_set, space->sets, pairs, count);
    mg_give(l->owner, pairs);
    return gathered;
}

bool mg_leaves_open(struct mg_leaves *l, struct mg_tables *t, struct mg_owner *owner)
{
    const uint32_t none[2] = {0, 0}, no_rule = MG_NO_RULE;
    uint32_t classes = t->services.class_count;

    *l = (struct mg_leaves){.t = t, .owner = owner};
    l->stamps = mg_take_zeroed(owner, t->services.sets, sizeof *l->stamps);
    if (!l->stamps || !find_classes(l) || !mg_map_open(&l->by_rules, owner, 1024) ||
        !mg_map_open(&l->by_shape, owner, 1024) || !mg_vector_add(owner, &l->leaves, none, 2) ||
        !mg_vector_add(owner, &l->lists, &no_rule, 1) ||
        !mg_reserve(owner, &l->shapes, &l->shape_room, classes, sizeof *l->shapes))
        return false;
    memset(l->shapes, 0, classes * sizeof *l->shapes);
    l->shape_count = 1;
    return true;
}

/* Keep the first rule for each set of services, behind a place that stands for no rule. */
static bool keep_first(struct mg_leaves *l, const uint32_t *rules, uint32_t count)
{
    const uint32_t none = MG_NO_RULE;

    l->stamp++;
    l->kept.count = 0;
    if (!mg_vector_add(l->owner, &l->kept, &none, 1))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t set = l->t->services.set_of_rule[rules[i]];

        if (l->stamps[set] == l->stamp)
            continue;
        l->stamps[set] = l->stamp;
        if (!mg_vector_add(l->owner, &l->kept, &rules[i], 1))
            return false;
    }
    return l->kept.count <= UINT16_MAX || mg_fail(l->owner->budget, MG_TOO_LARGE);
}

static struct mg_hash shape_hash(const struct mg_leaves *l)
{
    struct mg_hash hash = {l->owner->budget->key[0] ^ l->kept.count, l->owner->budget->key[1]};

    for (uint64_t i = 1; i < l->kept.count; i++) {
        uint32_t set = l->t->services.set_of_rule[l->kept.at[i]];

        hash.one = mg_mixed(hash.one ^ set);
        hash.two = (hash.two + set) * 0x9E3779B97F4A7C15u;
        hash.two ^= hash.two >> 31;
    }
    return hash;
}

static bool shape_for(struct mg_leaves *l, uint32_t *offset)
{
    uint64_t classes = l->t->services.class_count;
    uint32_t *number = mg_map_at(&l->by_shape, shape_hash(l));
    uint16_t *shape;

    if (!number)
        return false;
    if (*number == MG_UNSET) {
        if ((l->shape_count + 1) * classes >= MG_NODE)
            return mg_fail(l->owner->budget, MG_TOO_LARGE);
        if (!mg_reserve(l->owner, &l->shapes, &l->shape_room, (l->shape_count + 1) * classes, sizeof *shape))
            return false;
        *number = (uint32_t)(l->shape_count * classes);
        shape = l->shapes + l->shape_count++ * classes;
        memset(shape, 0, classes * sizeof *shape);
        for (uint64_t i = l->kept.count; --i;) {
            uint32_t set = l->t->services.set_of_rule[l->kept.at[i]];

            for (uint32_t k = l->classes_of_set.offsets[set]; k < l->classes_of_set.offsets[set + 1]; k++)
                shape[l->classes_of_set.items[k]] = (uint16_t)i;
        }
    }
    *offset = *number;
    return true;
}

bool mg_leaf_for(struct mg_leaves *l, const uint32_t *rules, uint32_t count, struct mg_hash hash, uint32_t *leaf)
{
    uint32_t *number, entry[2];

    *leaf = 0;
    if (!count)
        return true;
    number = mg_map_at(&l->by_rules, hash);
    if (!number)
        return false;
    if (*number == MG_UNSET) {
        *number = (uint32_t)(l->leaves.count / 2);
        entry[1] = (uint32_t)l->lists.count;
        if (!keep_first(l, rules, count) || !shape_for(l, &entry[0]) ||
            !mg_vector_add(l->owner, &l->lists, l->kept.at, (uint32_t)l->kept.count) ||
            !mg_vector_add(l->owner, &l->leaves, entry, 2))
            return false;
        if (l->lists.count >= MG_NODE || l->leaves.count >= MG_NODE)
            return mg_fail(l->owner->budget, MG_TOO_LARGE);
    }
    *leaf = *number;
    return true;
}

uint64_t mg_leaves_bytes(const struct mg_leaves *l)
{
    return (l->leaves.count + l->lists.count) * sizeof(uint32_t) +
           l->shape_count * l->t->services.class_count * sizeof *l->shapes;
}
