/* Ends: what the two sides of rules ask for, each distinct one once, as ranges of intervals. */
#include <stdlib.h>

#include "classify_parts.h"

struct ranges {
    struct mg_range *at;
    uint64_t count, room;
};

/* What finding the ends of one side keeps at hand. */
struct search {
    struct mg_tables *t;
    const struct mg_policy *policy;
    struct mg_space *space;
    struct ranges found;    /* of all ends so far */
    struct ranges prefixes; /* of the end at work */
    struct ranges *runs;    /* of each label set: where its labels stand; filled when first asked for */
    uint64_t offsets_room;
};

bool mg_gather(struct mg_owner *owner, struct mg_lists *lists, uint32_t count, const struct mg_pair *pairs,
               uint64_t pair_count)
{
    if (pair_count > UINT32_MAX - 1)
        return mg_fail(owner->budget, MG_TOO_LARGE);
    lists->offsets = mg_take_zeroed(owner, (uint64_t)count + 2, sizeof *lists->offsets);
    lists->items = mg_take(owner, pair_count, sizeof *lists->items);
    if (!lists->offsets || !lists->items)
        return false;
    for (uint64_t i = 0; i < pair_count; i++)
        lists->offsets[pairs[i].list + 2]++;
    for (uint32_t i = 0; i < count; i++)
        lists->offsets[i + 2] += lists->offsets[i + 1];
    for (uint64_t i = 0; i < pair_count; i++)
        lists->items[lists->offsets[pairs[i].list + 1]++] = pairs[i].item;
    return true;
}

static bool append(struct mg_tables *t, struct ranges *ranges, uint32_t from, uint32_t to)
{
    if (!mg_reserve(&t->scratch, &ranges->at, &ranges->room, ranges->count + 1, sizeof *ranges->at))
        return false;
    ranges->at[ranges->count++] = (struct mg_range){from, to};
    return true;
}

static int by_from(const void *one, const void *two)
{
    const struct mg_range *a = one, *b = two;

    return a->from < b->from ? -1 : a->from > b->from;
}

static void merge(struct ranges *ranges)
{
    uint64_t kept = 0;

    if (ranges->count < 2)
        return;
    qsort(ranges->at, ranges->count, sizeof *ranges->at, by_from);
    for (uint64_t i = 1; i < ranges->count; i++) {
        if (ranges->at[i].from > ranges->at[kept].to)
            ranges->at[++kept] = ranges->at[i];
        else if (ranges->at[i].to > ranges->at[kept].to)
            ranges->at[kept].to = ranges->at[i].to;
    }
    ranges->count = kept + 1;
}

/* Where the labels of a set stand; found by one walk over the intervals. */
static bool find_runs(struct search *s, uint32_t set, uint8_t *wanted)
{
    const struct mg_sets *sets = &s->policy->label_sets;
    struct ranges *runs = &s->runs[set];

    if (runs->room)
        return true;
    for (uint32_t i = sets->offsets[set]; i < sets->offsets[set + 1]; i++)
        wanted[s->policy->labels[i]] = 1;
    if (!mg_reserve(&s->t->scratch, &runs->at, &runs->room, 1, sizeof *runs->at))
        return false;
    for (uint32_t i = 0; i < s->space->intervals; i++) {
        if (!wanted[s->space->labels[i]])
            continue;
        if (runs->count && runs->at[runs->count - 1].to == i)
            runs->at[runs->count - 1].to = i + 1;
        else if (!append(s->t, runs, i, i + 1))
            return false;
    }
    for (uint32_t i = sets->offsets[set]; i < sets->offsets[set + 1]; i++)
        wanted[s->policy->labels[i]] = 0;
    return true;
}

static bool find_prefixes(struct search *s, uint32_t set)
{
    const uint32_t *offsets = s->policy->prefix_sets.offsets;

    s->prefixes.count = 0;
    if (set == MG_ANY)
        return append(s->t, &s->prefixes, 0, s->space->intervals);
    for (uint32_t i = offsets[set]; i < offsets[set + 1]; i++) {
        struct mg_range range;

        mg_prefix_range(s->space, &s->policy->prefixes[i], &range);
        if (!append(s->t, &s->prefixes, range.from, range.to))
            return false;
    }
    merge(&s->prefixes);
    return true;
}

/* The first of the ranges that reaches behind `interval`. */
static uint64_t first_behind(const struct ranges *ranges, uint32_t interval)
{
    uint64_t low = 0, high = ranges->count;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (ranges->at[middle].to <= interval)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool add_crossing(struct search *s, const struct ranges *runs)
{
    for (uint64_t i = 0; i < s->prefixes.count; i++) {
        struct mg_range range = s->prefixes.at[i];

        for (uint64_t k = first_behind(runs, range.from); k < runs->count && runs->at[k].from < range.to; k++) {
            struct mg_range run = runs->at[k];

            if (!append(s->t, &s->found, run.from > range.from ? run.from : range.from,
                        run.to < range.to ? run.to : range.to))
                return false;
        }
    }
    return true;
}

static bool add_end(struct search *s, uint32_t labels, uint32_t prefixes, uint8_t *wanted)
{
    bool added = true;

    if (!find_prefixes(s, prefixes))
        return false;
    if (labels != MG_ANY) {
        if (!find_runs(s, labels, wanted) || !add_crossing(s, &s->runs[labels]))
            return false;
    } else {
        for (uint64_t i = 0; added && i < s->prefixes.count; i++)
            added = append(s->t, &s->found, s->prefixes.at[i].from, s->prefixes.at[i].to);
    }
    if (s->found.count > UINT32_MAX / 2)
        return mg_fail(&s->t->budget, MG_TOO_LARGE);
    return added;
}

static bool number_ends(struct search *s, bool source, uint8_t *wanted)
{
    struct mg_space *space = s->space;
    uint64_t room = 0;
    struct mg_map map;

    if (!mg_map_open(&map, &s->t->scratch, 256) ||
        !mg_reserve(&s->t->kept, &space->range_offsets, &room, (uint64_t)s->policy->rule_count + 1, sizeof(uint32_t)))
        return false;
    space->range_offsets[0] = 0;
    for (uint32_t i = 0; i < s->policy->rule_count; i++) {
        const struct mg_rule *rule = &s->policy->rules[i];
        uint32_t labels = source ? rule->source_labels : rule->destination_labels;
        uint32_t prefixes = source ? rule->source_prefixes : rule->destination_prefixes;
        struct mg_hash key = {mg_mixed((uint64_t)labels << 32 | prefixes), (uint64_t)labels << 32 | prefixes};
        uint32_t *end = mg_map_at(&map, key);

        if (!end)
            return false;
        if (*end == MG_UNSET) {
            *end = space->ends++;
            if (!add_end(s, labels, prefixes, wanted))
                return false;
            space->range_offsets[space->ends] = (uint32_t)s->found.count;
        }
        space->end_of_rule[i] = *end;
    }
    mg_map_close(&map);
    return true;
}

/* An end toggles where one of its ranges begins and where it stops; merged ranges never touch. */
static bool gather_toggles(struct mg_tables *t, struct mg_space *space)
{
    uint64_t count = 0, ranges = space->range_offsets[space->ends];
    struct mg_pair *pairs = mg_take(&t->scratch, 2 * ranges, sizeof *pairs);
    bool gathered;

    if (!pairs)
        return false;
    for (uint32_t end = 0; end < space->ends; end++)
        for (uint32_t i = space->range_offsets[end]; i < space->range_offsets[end + 1]; i++) {
            pairs[count++] = (struct mg_pair){space->ranges[i].from, end};
            pairs[count++] = (struct mg_pair){space->ranges[i].to, end};
        }
    gathered = mg_gather(&t->scratch, &space->toggles, space->intervals + 1, pairs, count);
    mg_give(&t->scratch, pairs);
    return gathered;
}

static bool gather_rules(struct mg_tables *t, struct mg_space *space)
{
    struct mg_pair *pairs = mg_take(&t->scratch, t->rules, sizeof *pairs);
    bool gathered;

    if (!pairs)
        return false;
    for (uint32_t i = 0; i < t->rules; i++)
        pairs[i] = (struct mg_pair){space->end_of_rule[i], i};
    gathered = mg_gather(&t->scratch, &space->rules, space->ends, pairs, t->rules);
    mg_give(&t->scratch, pairs);
    return gathered;
}

bool mg_find_ends(struct mg_tables *t, const struct mg_policy *policy, struct mg_space *space, bool source)
{
    struct search s = {.t = t, .policy = policy, .space = space};
    uint8_t *wanted = mg_take_zeroed(&t->scratch, 65536, 1);

    s.runs = mg_take_zeroed(&t->scratch, policy->label_sets.count, sizeof *s.runs);
    space->end_of_rule = mg_take(&t->kept, policy->rule_count, sizeof *space->end_of_rule);
    if (!wanted || !s.runs || !space->end_of_rule || !number_ends(&s, source, wanted))
        return false;
    space->ranges = mg_take(&t->kept, s.found.count, sizeof *space->ranges);
    if (!space->ranges)
        return false;
    if (s.found.count)
        memcpy(space->ranges, s.found.at, s.found.count * sizeof *space->ranges);
    for (uint32_t i = 0; i < policy->label_sets.count; i++)
        mg_give(&t->scratch, s.runs[i].at);
    mg_give(&t->scratch, s.runs);
    mg_give(&t->scratch, s.found.at);
    mg_give(&t->scratch, s.prefixes.at);
    mg_give(&t->scratch, wanted);
    return gather_toggles(t, space) && gather_rules(t, space);
}

bool mg_end_holds(const struct mg_space *space, uint32_t end, uint32_t interval)
{
    uint32_t low = space->range_offsets[end], high = space->range_offsets[end + 1];

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (space->ranges[middle].to <= interval)
            low = middle + 1;
        else
            high = middle;
    }
    return low < space->range_offsets[end + 1] && space->ranges[low].from <= interval;
}
