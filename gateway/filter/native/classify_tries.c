/* From intervals with classes to tries. */
#include "classify_parts.h"

struct build4 {
    struct mg_tables *t;
    const struct mg_space *space;
    uint32_t *blocks;
    uint64_t room;
    uint32_t count;
};

/* Fill a block of 256 entries, each standing for `1 << bits` addresses from `base` on; `interval` holds `base`.
 * Returns the entry that stands for the block. */
static bool fill4(struct build4 *b, uint32_t base, int bits, uint32_t interval, uint32_t *entry)
{
    const struct mg_space *space = b->space;
    uint32_t block = b->count++;

    if (!mg_reserve(&b->t->scratch, &b->blocks, &b->room, (uint64_t)b->count * 256, sizeof(uint32_t)))
        return false;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t first = base | i << bits, last = first | ((1u << bits) - 1);
        uint32_t value;

        while (interval + 1 < space->intervals4 && space->starts4[interval + 1] <= first)
            interval++;
        value = space->classes[interval];
        if (interval + 1 < space->intervals4 && space->starts4[interval + 1] <= last &&
            !fill4(b, first, bits - 8, interval, &value))
            return false;
        b->blocks[(uint64_t)block * 256 + i] = value;
    }
    *entry = MG_NODE | block;
    return true;
}

static bool build4(struct mg_tables *t, const struct mg_space *space, struct mg_trie4 *trie)
{
    struct build4 b = {.t = t, .space = space, .count = 1};
    uint32_t *top = mg_take(&t->kept, 65536, sizeof *top), *blocks;

    if (!top || !mg_reserve(&t->scratch, &b.blocks, &b.room, 256, sizeof *b.blocks))
        return false;
    memset(b.blocks, 0, 256 * sizeof *b.blocks);
    for (uint32_t i = 0, interval = 0; i < 65536; i++) {
        uint32_t first = i << 16;

        while (interval + 1 < space->intervals4 && space->starts4[interval + 1] <= first)
            interval++;
        top[i] = space->classes[interval];
        if (interval + 1 < space->intervals4 && space->starts4[interval + 1] <= (first | 0xFFFF) &&
            !fill4(&b, first, 8, interval, &top[i]))
            return false;
    }
    blocks = mg_take(&t->kept, (uint64_t)b.count * 256, sizeof *blocks);
    if (!blocks)
        return false;
    memcpy(blocks, b.blocks, (uint64_t)b.count * 256 * sizeof *blocks);
    mg_give(&t->scratch, b.blocks);
    trie->top = top;
    trie->blocks = blocks;
    return true;
}

/* IPv6 works on runs: neighbouring intervals of one class are one. */
struct build6 {
    struct mg_tables *t;
    mg_address *starts;
    uint32_t *classes;
    uint32_t runs;
    struct mg_jump *jumps;
    uint32_t *blocks;
    uint64_t jump_room, block_room;
    uint32_t count;
};

static uint32_t equal_bytes(mg_address one, mg_address two)
{
    uint64_t high = (uint64_t)((one ^ two) >> 64), low = (uint64_t)(one ^ two);

    if (high)
        return (uint32_t)__builtin_clzll(high) / 8;
    return low ? 8 + (uint32_t)__builtin_clzll(low) / 8 : 15;
}

static void aim(struct mg_jump *jump, mg_address base, uint32_t depth, uint32_t otherwise)
{
    mg_address mask = depth ? ~(mg_address)0 << (128 - 8 * depth) : 0;

    *jump = (struct mg_jump){.hi = (uint64_t)((base & mask) >> 64),
                             .lo = (uint64_t)(base & mask),
                             .hi_mask = (uint64_t)(mask >> 64),
                             .lo_mask = (uint64_t)mask,
                             .otherwise = otherwise,
                             .shift = (depth < 8 ? 7 - depth : 15 - depth) * 8,
                             .low = depth >= 8};
}

/* Make the node for runs `from` to `to` (inclusive), which share `depth` leading bytes. Where the first and the
 * last run have one class, all that differs lies between them, and the node jumps to the bytes it has in common. */
static bool fill6(struct build6 *b, uint32_t from, uint32_t to, mg_address base, uint32_t depth, uint32_t *entry)
{
    uint32_t node = b->count++, run = from;

    if (b->classes[from] == b->classes[to]) {
        uint32_t common = equal_bytes(b->starts[from + 1], b->starts[to] - 1);

        base = common > depth ? b->starts[from + 1] : base;
        depth = common > depth ? common : depth;
    }
    if (b->count > (MG_NODE >> 9))
        return mg_fail(&b->t->budget, MG_TOO_MANY);
    if (!mg_reserve(&b->t->scratch, &b->jumps, &b->jump_room, b->count, sizeof *b->jumps) ||
        !mg_reserve(&b->t->scratch, &b->blocks, &b->block_room, (uint64_t)b->count * 256, sizeof *b->blocks))
        return false;
    aim(&b->jumps[node], base, depth, b->classes[from]);
    b->jumps[node].block = node * 256;
    base &= depth ? ~(mg_address)0 << (128 - 8 * depth) : 0;
    for (uint32_t i = 0; i < 256; i++) {
        mg_address first = base | (mg_address)i << (120 - 8 * depth);
        mg_address last = first | (((mg_address)1 << (120 - 8 * depth)) - 1);
        uint32_t value, end;

        while (run < to && b->starts[run + 1] <= first)
            run++;
        for (end = run; end < to && b->starts[end + 1] <= last;)
            end++;
        value = b->classes[run];
        if (end > run && !fill6(b, run, end, first, depth + 1, &value))
            return false;
        b->blocks[(uint64_t)node * 256 + i] = value;
        run = end;
    }
    *entry = MG_NODE | node;
    return true;
}

static bool find_runs(struct build6 *b, const struct mg_space *space)
{
    uint32_t count = space->intervals - space->intervals4;

    b->starts = mg_take(&b->t->scratch, count, sizeof *b->starts);
    b->classes = mg_take(&b->t->scratch, count, sizeof *b->classes);
    if (!b->starts || !b->classes)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t class = space->classes[space->intervals4 + i];

        if (i && b->classes[b->runs - 1] == class)
            continue;
        b->starts[b->runs] = space->starts6[i];
        b->classes[b->runs++] = class;
    }
    return true;
}

static bool build6(struct mg_tables *t, const struct mg_space *space, struct mg_trie6 *trie)
{
    struct build6 b = {.t = t};
    struct mg_jump *jumps;
    uint32_t *blocks;

    if (!find_runs(&b, space))
        return false;
    trie->root = b.classes[0];
    if (b.runs > 1 && !fill6(&b, 0, b.runs - 1, 0, 0, &trie->root))
        return false;
    jumps = mg_take(&t->kept, b.count, sizeof *jumps);
    blocks = mg_take(&t->kept, (uint64_t)b.count * 256, sizeof *blocks);
    if (!jumps || !blocks)
        return false;
    if (b.count) {
        memcpy(jumps, b.jumps, b.count * sizeof *jumps);
        memcpy(blocks, b.blocks, (uint64_t)b.count * 256 * sizeof *blocks);
    }
    mg_give(&t->scratch, b.starts);
    mg_give(&t->scratch, b.classes);
    mg_give(&t->scratch, b.jumps);
    mg_give(&t->scratch, b.blocks);
    trie->jumps = jumps;
    trie->blocks = blocks;
    return true;
}

bool mg_build_tries(struct mg_tables *t, const struct mg_space *space, struct mg_side *side)
{
    return build4(t, space, &side->v4) && build6(t, space, &side->v6);
}
