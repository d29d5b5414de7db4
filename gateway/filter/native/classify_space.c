/* The address space of one side as intervals, and what each end of a rule holds of it. */
#include <stdlib.h>

#include "classify_parts.h"

struct span { /* what a prefix holds, as intervals, and its label */
    struct mg_range range;
    uint32_t label;
};

static bool prefix_is_sound(const struct mg_prefix *p)
{
    mg_address address = (mg_address)p->hi << 64 | p->lo;

    if (p->version == 4)
        return p->length <= 32 && address >> 32 == 0 && (p->length == 32 || (uint32_t)(p->lo << p->length) == 0);
    return p->version == 6 && p->length <= 128 && (p->length == 128 || address << p->length == 0);
}

static mg_address first_of(const struct mg_prefix *p)
{
    return (mg_address)p->hi << 64 | p->lo;
}

/* The address behind the prefix; 0 when it reaches the end of its space. */
static mg_address behind(const struct mg_prefix *p)
{
    uint32_t bits = (p->version == 4 ? 32 : 128) - p->length;
    mg_address next = bits == 128 ? 0 : first_of(p) + ((mg_address)1 << bits);

    return p->version == 4 && next >> 32 ? 0 : next;
}

static int by_number4(const void *one, const void *two)
{
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)two;

    return a < b ? -1 : a > b;
}

static int by_number6(const void *one, const void *two)
{
    mg_address a = *(const mg_address *)one, b = *(const mg_address *)two;

    return a < b ? -1 : a > b;
}

/* Three passes over eleven bits each; `spare` is as long as `items`. */
static void sort4(uint32_t *items, uint32_t *spare, uint64_t count)
{
    if (count < 256) {
        qsort(items, count, sizeof *items, by_number4);
        return;
    }
    for (int shift = 0; shift < 33; shift += 11) {
        uint32_t at[2049] = {0};
        uint32_t *swap = items;

        for (uint64_t i = 0; i < count; i++)
            at[(items[i] >> shift & 2047) + 1]++;
        for (int i = 0; i < 2048; i++)
            at[i + 1] += at[i];
        for (uint64_t i = 0; i < count; i++)
            spare[at[items[i] >> shift & 2047]++] = items[i];
        items = spare;
        spare = swap;
    }
    memcpy(spare, items, count * sizeof *items);
}

struct points {
    uint32_t *four, *spare;
    mg_address *six;
    uint64_t count4, count6;
};

static void add_points(struct points *points, const struct mg_prefix *p)
{
    if (p->version == 4) {
        points->four[points->count4++] = (uint32_t)p->lo;
        points->four[points->count4++] = (uint32_t)behind(p);
    } else {
        points->six[points->count6++] = first_of(p);
        points->six[points->count6++] = behind(p);
    }
}

/* Sort the points and keep each once; 0 is always one of them, and begins each space. */
static bool cut(struct mg_tables *t, struct mg_space *space, struct points *points)
{
    uint64_t count4 = 0, count6 = 0;

    sort4(points->four, points->spare, points->count4);
    qsort(points->six, points->count6, sizeof *points->six, by_number6);
    for (uint64_t i = 0; i < points->count4; i++)
        if (i == 0 || points->four[i] != points->four[i - 1])
            count4++;
    for (uint64_t i = 0; i < points->count6; i++)
        if (i == 0 || points->six[i] != points->six[i - 1])
            count6++;
    if (count4 + count6 >= MG_NODE)
        return mg_fail(&t->budget, MG_TOO_MANY);
    space->intervals4 = (uint32_t)count4;
    space->intervals = (uint32_t)(count4 + count6);
    space->starts4 = mg_take(&t->scratch, count4, sizeof *space->starts4);
    space->starts6 = mg_take(&t->scratch, count6, sizeof *space->starts6);
    if (!space->starts4 || !space->starts6)
        return false;
    for (uint64_t i = 0, at = 0; i < points->count4; i++)
        if (i == 0 || points->four[i] != points->four[i - 1])
            space->starts4[at++] = points->four[i];
    for (uint64_t i = 0, at = 0; i < points->count6; i++)
        if (i == 0 || points->six[i] != points->six[i - 1])
            space->starts6[at++] = points->six[i];
    return true;
}

static uint32_t interval4(const struct mg_space *space, uint32_t address)
{
    uint32_t low = 0, high = space->intervals4;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (space->starts4[middle] <= address)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static uint32_t interval6(const struct mg_space *space, mg_address address)
{
    uint32_t low = 0, high = space->intervals - space->intervals4;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (space->starts6[middle] <= address)
            low = middle;
        else
            high = middle;
    }
    return space->intervals4 + low;
}

static struct mg_range range_of(const struct mg_space *space, const struct mg_prefix *p)
{
    mg_address next = behind(p);
    struct mg_range range;

    if (p->version == 4) {
        range.from = interval4(space, (uint32_t)p->lo);
        range.to = next ? interval4(space, (uint32_t)next) : space->intervals4;
    } else {
        range.from = interval6(space, first_of(p));
        range.to = next ? interval6(space, next) : space->intervals;
    }
    return range;
}

static int widest_first(const void *one, const void *two)
{
    const struct span *a = one, *b = two;

    if (a->range.from != b->range.from)
        return a->range.from < b->range.from ? -1 : 1;
    return a->range.to > b->range.to ? -1 : a->range.to < b->range.to;
}

/* Prefixes nest or lie apart, so the ones that hold an interval are a stack, and the top one is the longest. */
static bool label_intervals(struct mg_tables *t, struct mg_space *space, const struct mg_prefix *map, uint32_t count)
{
    struct span *spans = mg_take(&t->scratch, count, sizeof *spans);
    uint32_t *stack = mg_take(&t->scratch, count, sizeof *stack);
    uint32_t depth = 0, next = 0;

    space->labels = mg_take(&t->scratch, space->intervals, sizeof *space->labels);
    if (!spans || !stack || !space->labels)
        return false;
    for (uint32_t i = 0; i < count; i++)
        spans[i] = (struct span){range_of(space, &map[i]), map[i].label};
    qsort(spans, count, sizeof *spans, widest_first);
    for (uint32_t i = 1; i < count; i++)
        if (widest_first(&spans[i - 1], &spans[i]) == 0 && spans[i - 1].label != spans[i].label)
            return mg_fail(&t->budget, MG_BAD_LABEL);
    for (uint32_t i = 0; i < space->intervals; i++) {
        while (depth && spans[stack[depth - 1]].range.to <= i)
            depth--;
        while (next < count && spans[next].range.from == i)
            stack[depth++] = next++;
        space->labels[i] = depth ? spans[stack[depth - 1]].label : 0;
    }
    mg_give(&t->scratch, spans);
    mg_give(&t->scratch, stack);
    return true;
}

static bool check_prefixes(struct mg_budget *budget, const struct mg_prefix *prefixes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!prefix_is_sound(&prefixes[i]))
            return mg_fail(budget, MG_BAD_PREFIX);
        if (prefixes[i].label > 0xFFFF)
            return mg_fail(budget, MG_BAD_LABEL);
    }
    return true;
}

static bool cut_at_prefixes(struct mg_tables *t, const struct mg_policy *policy, struct mg_space *space,
                            const struct mg_prefix *map, uint32_t map_count, const uint8_t *used)
{
    const uint32_t *offsets = policy->prefix_sets.offsets;
    uint64_t most = 2 * ((uint64_t)map_count + policy->prefix_sets.items) + 1;
    struct points points = {.four = mg_take(&t->scratch, most, sizeof(uint32_t)),
                            .spare = mg_take(&t->scratch, most, sizeof(uint32_t)),
                            .six = mg_take(&t->scratch, most, sizeof(mg_address))};

    if (!points.four || !points.spare || !points.six)
        return false;
    points.four[points.count4++] = 0;
    points.six[points.count6++] = 0;
    for (uint32_t i = 0; i < map_count; i++)
        add_points(&points, &map[i]);
    for (uint32_t set = 0; set < policy->prefix_sets.count; set++)
        for (uint32_t i = offsets[set]; used[set] && i < offsets[set + 1]; i++)
            add_points(&points, &policy->prefixes[i]);
    if (!cut(t, space, &points))
        return false;
    mg_give(&t->scratch, points.four);
    mg_give(&t->scratch, points.spare);
    mg_give(&t->scratch, points.six);
    return true;
}

bool mg_cut_addresses(struct mg_tables *t, const struct mg_policy *policy, struct mg_space *space, bool source)
{
    const struct mg_prefix *map = source ? policy->source_labels : policy->destination_labels;
    uint32_t map_count = source ? policy->source_label_count : policy->destination_label_count;
    uint8_t *used = mg_take_zeroed(&t->scratch, policy->prefix_sets.count, 1);

    if (!used || !check_prefixes(&t->budget, map, map_count) ||
        !check_prefixes(&t->budget, policy->prefixes, policy->prefix_sets.items))
        return false;
    for (uint32_t i = 0; i < policy->rule_count; i++) {
        uint32_t set = source ? policy->rules[i].source_prefixes : policy->rules[i].destination_prefixes;

        if (set != MG_ANY)
            used[set] = 1;
    }
    if (!cut_at_prefixes(t, policy, space, map, map_count, used) || !label_intervals(t, space, map, map_count))
        return false;
    mg_give(&t->scratch, used);
    return true;
}

void mg_prefix_range(const struct mg_space *space, const struct mg_prefix *prefix, struct mg_range *range)
{
    *range = range_of(space, prefix);
}
