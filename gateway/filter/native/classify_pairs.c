/* Class pairs: one table over all rules where that stays small, else four by the width of the rules' prefixes.
 *
 * A few wide rules crossed with many narrow ones make a leaf of every combination; apart, both stay small. */
#include "classify_grid.h"

#define WIDE 8                        /* prefixes shorter than this are wide */
#define DENSE_MOST (UINT64_C(1) << 18) /* entries of a dense table */
#define DIRECT_MOST (UINT64_C(1) << 17)

struct attempt {
    struct mg_tables *t;
    struct mg_owner owner;
    struct mg_leaves leaves;
    struct mg_grid grids[MG_GROUPS];
    uint32_t groups;
};

static bool is_wide(const struct mg_space *space, uint32_t end)
{
    for (uint32_t i = space->range_offsets[end]; i < space->range_offsets[end + 1]; i++) {
        struct mg_range range = space->ranges[i];
        mg_address first, behind;

        if (range.from < space->intervals4) {
            uint64_t next = range.to < space->intervals4 ? space->starts4[range.to] : UINT64_C(1) << 32;

            if (next - space->starts4[range.from] > UINT64_C(1) << (32 - WIDE))
                return true;
            continue;
        }
        first = space->starts6[range.from - space->intervals4];
        behind = range.to < space->intervals ? space->starts6[range.to - space->intervals4] : 0;
        if (behind - first - 1 > (mg_address)1 << (128 - WIDE))
            return true;
    }
    return false;
}

static bool group_rules(struct mg_tables *t, uint8_t *groups)
{
    uint8_t *wide[2];

    for (int side = 0; side < 2; side++) {
        const struct mg_space *space = side ? &t->destination : &t->source;

        wide[side] = mg_take(&t->scratch, space->ends, 1);
        if (!wide[side])
            return false;
        for (uint32_t end = 0; end < space->ends; end++)
            wide[side][end] = is_wide(space, end);
    }
    for (uint32_t i = 0; i < t->rules; i++)
        groups[i] = (uint8_t)(wide[0][t->source.end_of_rule[i]] | wide[1][t->destination.end_of_rule[i]] << 1);
    mg_give(&t->scratch, wide[0]);
    mg_give(&t->scratch, wide[1]);
    return true;
}

/* Fill a table for each group that has rules; at least one. */
static bool try_groups(struct attempt *a, const uint8_t *groups, uint64_t most_bytes)
{
    bool present[MG_GROUPS] = {false};

    if (!mg_leaves_open(&a->leaves, a->t, &a->owner))
        return false;
    for (uint32_t i = 0; i < a->t->rules; i++)
        present[groups[i]] = true;
    present[0] |= !a->t->rules;
    for (uint8_t group = 0; group < MG_GROUPS; group++) {
        if (!present[group])
            continue;
        a->grids[a->groups] = (struct mg_grid){.t = a->t,
                                               .owner = &a->owner,
                                               .leaves = &a->leaves,
                                               .group_of_rule = groups,
                                               .group = group,
                                               .most_bytes = most_bytes};
        if (!mg_grid_fill(&a->grids[a->groups++]))
            return false;
    }
    return true;
}

static bool has_exploded(const struct attempt *a)
{
    for (uint32_t g = 0; g < a->groups; g++)
        if (a->grids[g].exploded)
            return true;
    return false;
}

/* Number the intervals of a side by label and by their place in every table. `places` gets MG_GROUPS for a class. */
static bool number_intervals(struct attempt *a, struct mg_space *space, bool source, uint32_t **places)
{
    struct mg_map map;

    space->classes = mg_take(&a->t->scratch, space->intervals, sizeof *space->classes);
    space->sample = mg_take(&a->t->kept, space->intervals, sizeof *space->sample);
    *places = mg_take_zeroed(&a->t->kept, space->intervals, MG_GROUPS * sizeof **places);
    if (!space->classes || !space->sample || !*places || !mg_map_open(&map, &a->owner, 1024))
        return false;
    for (uint32_t i = 0; i < space->intervals; i++) {
        uint32_t place[MG_GROUPS + 1] = {0}, *number;

        for (uint32_t g = 0; g < a->groups; g++)
            place[g] = source ? a->grids[g].row_of[i] : a->grids[g].column_of[i];
        place[MG_GROUPS] = space->labels[i];
        number = mg_map_at(&map, mg_hash_words(&a->t->budget, place, MG_GROUPS + 1));
        if (!number)
            return false;
        if (*number == MG_UNSET) {
            memcpy(*places + (uint64_t)space->class_count * MG_GROUPS, place, MG_GROUPS * sizeof *place);
            space->sample[space->class_count] = i;
            *number = space->class_count++;
        }
        space->classes[i] = *number;
    }
    return true;
}

static const void *keep(struct mg_tables *t, const void *items, uint64_t count, uint64_t size)
{
    void *kept = mg_take(&t->kept, count + 1, size); /* one more: lanes of four bytes read past a last short one */

    if (kept && count)
        memcpy(kept, items, count * size);
    return kept;
}

static bool keep_grid(struct mg_tables *t, const struct mg_grid *g, struct mg_pair_table *table)
{
    uint64_t entries = (uint64_t)g->rows * g->columns;

    if (entries <= DENSE_MOST) {
        uint32_t *dense = mg_take(&t->kept, entries, sizeof *dense);

        for (uint32_t row = 0; dense && row < g->rows; row++)
            for (uint32_t column = 0; column < g->columns; column++)
                dense[(uint64_t)row * g->columns + column] = mg_grid_leaf(g, row, column);
        table->dense = dense;
        return dense != NULL;
    }
    if (g->top.count >= MG_NODE)
        return mg_fail(&t->budget, MG_TOO_LARGE);
    table->top = keep(t, g->top.at, g->top.count, sizeof *g->top.at);
    table->spans = keep(t, g->spans.at, g->spans.count, sizeof *g->spans.at);
    table->pages = keep(t, g->pages.at, g->pages.count, sizeof *g->pages.at);
    return table->top && table->spans && table->pages;
}

/* Leaves small enough to be a table of rules by leaf and service class; a leaf's number is its offset then. */
static bool keep_direct(struct mg_tables *t, struct attempt *a)
{
    const struct mg_leaves *l = &a->leaves;
    uint64_t classes = t->services.class_count, leaves = l->leaves.count / 2;
    uint32_t *direct = mg_take(&t->kept, leaves * classes, sizeof *direct);

    if (!direct)
        return false;
    for (uint64_t leaf = 0; leaf < leaves; leaf++)
        for (uint64_t class = 0; class < classes; class++)
            direct[leaf * classes + class] =
                l->lists.at[l->leaves.at[2 * leaf + 1] + l->shapes[l->leaves.at[2 * leaf] + class]];
    for (uint32_t g = 0; g < a->groups; g++)
        for (uint64_t i = 0; i < a->grids[g].pages.count; i++)
            a->grids[g].pages.at[i] *= (uint32_t)classes;
    t->lookup.pairs.direct = direct;
    return true;
}

static bool keep_leaves(struct mg_tables *t, struct attempt *a)
{
    const struct mg_leaves *l = &a->leaves;
    struct mg_pairs *pairs = &t->lookup.pairs;

    if (l->leaves.count / 2 * t->services.class_count <= DIRECT_MOST)
        return keep_direct(t, a);
    pairs->leaves = keep(t, l->leaves.at, l->leaves.count / 2, sizeof *pairs->leaves);
    pairs->lists = keep(t, l->lists.at, l->lists.count, sizeof *pairs->lists);
    pairs->shapes = keep(t, l->shapes, l->shape_count * t->services.class_count, sizeof *pairs->shapes);
    return pairs->leaves && pairs->lists && pairs->shapes;
}

static bool keep_tables(struct mg_tables *t, struct attempt *a)
{
    struct mg_pairs *pairs = &t->lookup.pairs;
    uint32_t *rows, *columns;

    if (!number_intervals(a, &t->source, true, &rows) || !number_intervals(a, &t->destination, false, &columns) ||
        !keep_leaves(t, a))
        return false;
    for (uint32_t g = 0; g < a->groups; g++) {
        const struct mg_grid *grid = &a->grids[g];

        if (!keep_grid(t, grid, &pairs->tables[g]))
            return false;
        for (uint32_t class = 0; class < t->source.class_count; class++)
            rows[(uint64_t)class * MG_GROUPS + g] *= pairs->tables[g].dense ? grid->columns : grid->spans_of_row;
    }
    pairs->groups = a->groups;
    pairs->rows = rows;
    pairs->columns = columns;
    return true;
}

bool mg_build_pairs(struct mg_tables *t)
{
    uint8_t *groups = mg_take_zeroed(&t->scratch, t->rules, 1);
    struct attempt a = {.t = t, .owner = {.budget = &t->budget}};
    bool built;

    if (!groups)
        return false;
    built = try_groups(&a, groups, (UINT64_C(4) << 20) + (uint64_t)t->rules * 256);
    if (!built && has_exploded(&a)) {
        mg_give_all(&a.owner);
        a.groups = 0;
        built = group_rules(t, groups) && try_groups(&a, groups, UINT64_MAX);
    }
    built = built && keep_tables(t, &a);
    mg_give_all(&a.owner);
    return built;
}
