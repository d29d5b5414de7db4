/* Bit vectors: a row of rule bits for each class. */
#include "classify_parts.h"

#define SMALL_RULES 4096   /* up to here a summary bit stands for one word, and one summary word for the row */
#define MIDDLE_RULES 16384 /* up to here for four */

static void toggle_rules(const struct mg_space *space, uint32_t end, uint64_t *row)
{
    for (uint32_t i = space->rules.offsets[end]; i < space->rules.offsets[end + 1]; i++)
        row[space->rules.items[i] / 64] ^= UINT64_C(1) << space->rules.items[i] % 64;
}

static void summarise(const struct mg_rows *rows, const uint64_t *row, uint64_t *summary)
{
    for (uint32_t i = 0; i < rows->words; i++)
        if (row[i])
            summary[i / rows->chunk / 64] |= UINT64_C(1) << (i / rows->chunk % 64);
}

static bool keep_rows(struct mg_tables *t, int which, const uint64_t *made, uint32_t count)
{
    struct mg_rows *rows = &t->lookup.rows;
    uint64_t *kept = mg_take(&t->kept, (uint64_t)count * rows->words, sizeof *kept);
    uint64_t *summary = mg_take_zeroed(&t->kept, (uint64_t)count * rows->summaries, sizeof *summary);

    if (!kept || !summary)
        return false;
    memcpy(kept, made, (uint64_t)count * rows->words * sizeof *kept);
    for (uint32_t i = 0; i < count; i++)
        summarise(rows, kept + (uint64_t)i * rows->words, summary + (uint64_t)i * rows->summaries);
    rows->rows[which] = kept;
    rows->summary[which] = summary;
    return true;
}

struct sweep {
    uint64_t *row;  /* of the interval at work: every rule belongs to one end, so ends toggle their rules */
    uint64_t *made; /* of all classes so far */
    uint64_t room;
    struct mg_map map;
    struct mg_hash hash;
};

static bool number_interval(struct mg_tables *t, struct mg_space *space, struct sweep *w, uint32_t interval)
{
    uint32_t words = t->lookup.rows.words;
    struct mg_hash hash = w->hash;
    uint32_t *number;

    mg_hash_toggle(&hash, mg_hash_of(&t->budget, (UINT64_C(1) << 32) + space->labels[interval]));
    number = mg_map_at(&w->map, hash);
    if (!number)
        return false;
    if (*number == MG_UNSET) {
        if (!mg_reserve(&t->scratch, &w->made, &w->room, (uint64_t)(space->class_count + 1) * words, 8))
            return false;
        memcpy(w->made + (uint64_t)space->class_count * words, w->row, words * sizeof *w->row);
        space->sample[space->class_count] = interval;
        *number = space->class_count++;
    }
    space->classes[interval] = *number;
    return true;
}

static bool sweep_space(struct mg_tables *t, struct mg_space *space, int which)
{
    struct sweep w = {.row = mg_take_zeroed(&t->scratch, t->lookup.rows.words, sizeof(uint64_t))};
    bool kept;

    space->classes = mg_take(&t->scratch, space->intervals, sizeof *space->classes);
    space->sample = mg_take(&t->kept, space->intervals, sizeof *space->sample);
    if (!w.row || !space->classes || !space->sample || !mg_map_open(&w.map, &t->scratch, 1024))
        return false;
    for (uint32_t i = 0; i < space->intervals; i++) {
        for (uint32_t k = space->toggles.offsets[i]; k < space->toggles.offsets[i + 1]; k++) {
            toggle_rules(space, space->toggles.items[k], w.row);
            mg_hash_toggle(&w.hash, mg_hash_of(&t->budget, space->toggles.items[k]));
        }
        if (!number_interval(t, space, &w, i))
            return false;
    }
    kept = keep_rows(t, which, w.made, space->class_count);
    mg_give(&t->scratch, w.row);
    mg_give(&t->scratch, w.made);
    mg_map_close(&w.map);
    return kept;
}

static bool service_rows(struct mg_tables *t)
{
    const struct mg_service_space *space = &t->services;
    uint32_t words = t->lookup.rows.words;
    uint64_t *rows = mg_take_zeroed(&t->scratch, (uint64_t)space->class_count * words, sizeof *rows);
    bool kept;

    if (!rows)
        return false;
    for (uint32_t class = 0; class < space->class_count; class++)
        for (uint32_t i = 0; i < t->rules; i++) {
            uint32_t set = space->set_of_rule[i];
            uint64_t held = space->matches[(uint64_t)class * space->words + set / 64] >> set % 64 & 1;

            rows[(uint64_t)class * words + i / 64] |= held << i % 64;
        }
    kept = keep_rows(t, 2, rows, space->class_count);
    mg_give(&t->scratch, rows);
    return kept;
}

bool mg_build_rows(struct mg_tables *t)
{
    struct mg_rows *rows = &t->lookup.rows;
    uint32_t chunks;

    rows->chunk = t->rules <= SMALL_RULES ? 1 : t->rules <= MIDDLE_RULES ? 4 : 8;
    chunks = t->rules / (64 * rows->chunk) + 1;
    rows->words = chunks * rows->chunk;
    rows->summaries = (chunks + 63) / 64;
    return sweep_space(t, &t->source, 0) && sweep_space(t, &t->destination, 1) && service_rows(t);
}
