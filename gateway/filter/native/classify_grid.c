/* One class-pair table: a sweep over the sources, and for each distinct set of rules one over the destinations. */
#include "classify_grid.h"

struct sweep {
    uint32_t *active, *place; /* rules whose source holds, and where each stands (MG_UNSET: it does not) */
    uint32_t count;
    struct mg_hash hash;
    uint64_t *events, *spare; /* column << 32 | rule */
    uint64_t events_room, spare_room, event_count, next;
    uint32_t *here, here_count; /* rules of the column at work, in order */
    struct mg_hash here_hash;
    uint32_t leaf;
};

static bool number_columns(struct mg_grid *g)
{
    const struct mg_space *space = &g->t->destination;
    uint8_t *used = mg_take_zeroed(g->owner, space->ends, 1);

    g->column_of = mg_take(g->owner, (uint64_t)space->intervals + 1, sizeof *g->column_of);
    if (!used || !g->column_of)
        return false;
    for (uint32_t i = 0; i < g->t->rules; i++)
        used[space->end_of_rule[i]] |= g->group_of_rule[i] == g->group;
    for (uint32_t i = 0; i < space->intervals; i++) {
        bool cut = i == 0;

        for (uint32_t k = space->toggles.offsets[i]; !cut && k < space->toggles.offsets[i + 1]; k++)
            cut = used[space->toggles.items[k]];
        g->columns += cut;
        g->column_of[i] = g->columns - 1;
    }
    g->column_of[space->intervals] = g->columns;
    g->spans_of_row = (g->columns + MG_SPAN - 1) / MG_SPAN;
    mg_give(g->owner, used);
    return true;
}

static void toggle_source(struct mg_grid *g, struct sweep *w, uint32_t end)
{
    const struct mg_lists *rules = &g->t->source.rules;

    for (uint32_t i = rules->offsets[end]; i < rules->offsets[end + 1]; i++) {
        uint32_t rule = rules->items[i], place = w->place[rule];

        if (g->group_of_rule[rule] != g->group)
            continue;
        mg_hash_toggle(&w->hash, mg_hash_of(g->owner->budget, rule));
        if (place == MG_UNSET) {
            w->place[rule] = w->count;
            w->active[w->count++] = rule;
        } else {
            w->active[place] = w->active[--w->count];
            w->place[w->active[place]] = place;
            w->place[rule] = MG_UNSET;
        }
    }
}

static void sort_few(uint64_t *items, uint64_t count)
{
    for (uint64_t i = 1; i < count; i++) {
        uint64_t item = items[i], at = i;

        for (; at && items[at - 1] > item; at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

/* Sort events by column. Order within a column does not matter: each toggles one rule. */
static void sort_events(struct sweep *w, uint32_t columns)
{
    if (w->event_count <= 48) {
        sort_few(w->events, w->event_count);
        return;
    }
    for (int shift = 32; columns >> (shift - 32); shift += 8) {
        uint64_t *swap = w->events, room = w->events_room;
        uint32_t at[257] = {0};

        for (uint64_t i = 0; i < w->event_count; i++)
            at[(w->events[i] >> shift & 255) + 1]++;
        for (int i = 0; i < 255; i++)
            at[i + 1] += at[i];
        for (uint64_t i = 0; i < w->event_count; i++)
            w->spare[at[w->events[i] >> shift & 255]++] = w->events[i];
        w->events = w->spare;
        w->events_room = w->spare_room;
        w->spare = swap;
        w->spare_room = room;
        if (shift == 56)
            break;
    }
}

static bool find_events(struct mg_grid *g, struct sweep *w)
{
    const struct mg_space *space = &g->t->destination;

    w->event_count = w->next = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        uint32_t rule = w->active[i], end = space->end_of_rule[rule];
        uint32_t first = space->range_offsets[end], behind = space->range_offsets[end + 1];

        if (!mg_reserve(g->owner, &w->events, &w->events_room, w->event_count + 2 * (uint64_t)(behind - first), 8))
            return false;
        for (uint32_t k = first; k < behind; k++) {
            uint32_t to = g->column_of[space->ranges[k].to];

            w->events[w->event_count++] = (uint64_t)g->column_of[space->ranges[k].from] << 32 | rule;
            if (to < g->columns)
                w->events[w->event_count++] = (uint64_t)to << 32 | rule;
        }
    }
    if (!mg_reserve(g->owner, &w->spare, &w->spare_room, w->event_count, 8))
        return false;
    sort_events(w, g->columns);
    return true;
}

static void toggle_here(struct mg_grid *g, struct sweep *w, uint32_t rule)
{
    uint32_t low = 0, high = w->here_count;

    mg_hash_toggle(&w->here_hash, mg_hash_of(g->owner->budget, rule));
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (w->here[middle] < rule)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < w->here_count && w->here[low] == rule) {
        memmove(w->here + low, w->here + low + 1, (--w->here_count - low) * sizeof *w->here);
    } else {
        memmove(w->here + low + 1, w->here + low, (w->here_count++ - low) * sizeof *w->here);
        w->here[low] = rule;
    }
}

static uint64_t next_column(const struct sweep *w)
{
    return w->next < w->event_count ? w->events[w->next] >> 32 : UINT64_MAX;
}

static bool enter_column(struct mg_grid *g, struct sweep *w, uint32_t column)
{
    if (next_column(w) != column)
        return true;
    while (next_column(w) == column)
        toggle_here(g, w, (uint32_t)w->events[w->next++]);
    return mg_leaf_for(g->leaves, w->here, w->here_count, w->here_hash, &w->leaf);
}

/* The number of an equal block seen before, or of this one now. */
static bool number_block(struct mg_grid *g, struct mg_map *map, struct mg_vector *blocks, const uint32_t *block,
                         uint32_t length, uint32_t *number)
{
    uint32_t *known = mg_map_at(map, mg_hash_words(g->owner->budget, block, length));

    if (!known)
        return false;
    if (*known == MG_UNSET) {
        if (blocks->count + length >= MG_NODE)
            return mg_fail(g->owner->budget, MG_TOO_LARGE);
        *known = (uint32_t)blocks->count;
        if (!mg_vector_add(g->owner, blocks, block, length))
            return false;
    }
    *number = *known;
    return true;
}

static bool make_page(struct mg_grid *g, struct sweep *w, uint32_t column, uint32_t *number)
{
    uint32_t page[MG_COLUMNS];

    for (uint32_t i = 0; i < MG_COLUMNS; i++) {
        if (!enter_column(g, w, column + i))
            return false;
        page[i] = w->leaf;
    }
    return number_block(g, &g->by_page, &g->pages, page, MG_COLUMNS, number);
}

static bool make_span(struct mg_grid *g, struct sweep *w, uint32_t column, uint32_t *number)
{
    uint32_t span[MG_PAGES], last = 0, last_leaf = MG_UNSET;

    for (uint32_t i = 0; i < MG_PAGES; i++, column += MG_COLUMNS) {
        bool plain = next_column(w) >= column + MG_COLUMNS;

        if (!plain || w->leaf != last_leaf) {
            if (!make_page(g, w, column, &last))
                return false;
            last_leaf = plain ? w->leaf : MG_UNSET;
        }
        span[i] = last;
    }
    return number_block(g, &g->by_span, &g->spans, span, MG_PAGES, number);
}

static bool make_row(struct mg_grid *g, struct sweep *w)
{
    uint32_t last = 0, last_leaf = MG_UNSET;

    w->here_count = w->leaf = 0;
    w->here_hash = (struct mg_hash){0, 0};
    if (!find_events(g, w))
        return false;
    for (uint32_t column = 0; column < g->columns; column += MG_SPAN) {
        bool plain = next_column(w) >= (uint64_t)column + MG_SPAN;

        if (!plain || w->leaf != last_leaf) {
            if (!make_span(g, w, column, &last))
                return false;
            last_leaf = plain ? w->leaf : MG_UNSET;
        }
        if (!mg_vector_add(g->owner, &g->top, &last, 1))
            return false;
    }
    g->exploded = (g->top.count + g->spans.count + g->pages.count) * sizeof(uint32_t) + mg_leaves_bytes(g->leaves) >
                  g->most_bytes;
    return !g->exploded;
}

static bool sweep_sources(struct mg_grid *g, struct sweep *w)
{
    const struct mg_space *space = &g->t->source;

    for (uint32_t i = 0; i < space->intervals; i++) {
        uint32_t *row;

        for (uint32_t k = space->toggles.offsets[i]; k < space->toggles.offsets[i + 1]; k++)
            toggle_source(g, w, space->toggles.items[k]);
        row = mg_map_at(&g->by_row, w->hash);
        if (!row)
            return false;
        if (*row == MG_UNSET) {
            *row = g->rows++;
            if (!make_row(g, w))
                return false;
        }
        g->row_of[i] = *row;
    }
    return true;
}

bool mg_grid_fill(struct mg_grid *g)
{
    struct sweep w = {.active = mg_take(g->owner, g->t->rules, sizeof(uint32_t)),
                      .place = mg_take(g->owner, g->t->rules, sizeof(uint32_t)),
                      .here = mg_take(g->owner, (uint64_t)g->t->rules + 1, sizeof(uint32_t))};
    bool filled;

    g->row_of = mg_take(g->owner, g->t->source.intervals, sizeof *g->row_of);
    if (!w.active || !w.place || !w.here || !g->row_of || !number_columns(g) ||
        !mg_map_open(&g->by_page, g->owner, 1024) || !mg_map_open(&g->by_span, g->owner, 1024) ||
        !mg_map_open(&g->by_row, g->owner, 1024))
        return false;
    memset(w.place, 0xFF, g->t->rules * sizeof *w.place);
    filled = sweep_sources(g, &w);
    mg_give(g->owner, w.active);
    mg_give(g->owner, w.place);
    mg_give(g->owner, w.here);
    mg_give(g->owner, w.events);
    mg_give(g->owner, w.spare);
    return filled;
}

uint32_t mg_grid_leaf(const struct mg_grid *g, uint32_t row, uint32_t column)
{
    uint32_t span = g->top.at[(uint64_t)row * g->spans_of_row + column / MG_SPAN];

    return g->pages.at[g->spans.at[span + column / MG_COLUMNS % MG_PAGES] + column % MG_COLUMNS];
}
