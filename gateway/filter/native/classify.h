/* Looking a packet up in compiled rules: addresses and service to classes, classes to the first matching rule.
 *
 * The tables are read-only arrays made by classify_build.h. A packet has three classes: of its source address, of
 * its destination address and of protocol and ports. Packets of equal classes match the same set of rules, so
 * whatever is worked out for three classes holds for every packet that has them.
 *
 * Two forms of table answer "which rule matches first": bit vectors (a row of rule bits for each class; the
 * answer is the first bit set in all three rows), and class pairs (a table over source and destination class
 * whose leaves answer by service class). The first is small for logical rules, the second fast for very many. */
#ifndef MASUGATA_CLASSIFY_H
#define MASUGATA_CLASSIFY_H

#include "core.h"

#define MG_NO_RULE 0xFFFFFFFFu
#define MG_NODE 0x80000000u /* in a trie entry: the number of a node follows, not a class */
#define MG_GROUPS 4         /* class-pair tables, at most */
#define MG_COLUMNS 16       /* of a page */
#define MG_PAGES 64         /* of a span */

enum mg_kind { MG_BIT_VECTORS = 1, MG_CLASS_PAIRS = 2 };

/* IPv4: 16, 8 and 8 bits. An entry is a class, or MG_NODE and a block of 256 entries; block 0 is never used. */
struct mg_trie4 {
    const uint32_t *top;
    const uint32_t *blocks;
};

/* One step for IPv6: where the address begins as `hi`, `lo` say up to `depth` bytes, its next byte picks an entry
 * of `block`; anywhere else the answer is `otherwise`. So a /64 in an empty space costs one step, not eight. */
struct mg_jump {
    uint64_t hi, lo;
    uint64_t hi_mask, lo_mask;
    uint32_t otherwise;
    uint32_t block;
    uint32_t shift; /* of the byte, from the low end of its half */
    uint32_t low;   /* whether that byte is in the low half */
};

struct mg_trie6 {
    const struct mg_jump *jumps;
    const uint32_t *blocks;
    uint32_t root;
    uint32_t zero;
};

struct mg_side {
    struct mg_trie4 v4;
    struct mg_trie6 v6;
    const uint32_t *labels; /* of each class */
    uint32_t classes;
    uint32_t zero;
};

/* Three numbers for source port, destination port and protocol, and a table over all three. The factors are
 * multiplied out: sport[] counts in steps of `protocols * dports`. */
struct mg_services {
    const uint32_t *sport;    /* 65,536 */
    const uint32_t *dport;    /* 65,536 */
    const uint32_t *protocol; /* 256 */
    const uint16_t *classes;
    uint32_t count;
    uint32_t zero;
};

/* Rows of rule bits, one for each class. `words` (64 bits each) make a row; a summary bit stands for `chunk` of
 * them, and a row has `summaries` words of summary. */
struct mg_rows {
    const uint64_t *rows[3]; /* source, destination, service */
    const uint64_t *summary[3];
    uint32_t words, chunk, summaries;
    uint32_t zero;
};

/* One class-pair table, over the rules of one group: source row and destination column lead to a leaf. A dense
 * table is one array; any other is cut into spans of pages of columns, equal ones stored once. */
struct mg_pair_table {
    const uint32_t *dense;
    const uint32_t *top, *spans, *pages;
};

struct mg_leaf {
    uint32_t shape; /* offset into shapes, to which a service class is added */
    uint32_t list;  /* offset into lists, to which a position is added; position 0 is no rule */
};

struct mg_pairs {
    struct mg_pair_table tables[MG_GROUPS];
    const uint32_t *rows;    /* MG_GROUPS for each source class: offsets into dense or top */
    const uint32_t *columns; /* MG_GROUPS for each destination class */
    const struct mg_leaf *leaves;
    const uint16_t *shapes; /* positions by service class */
    const uint32_t *lists;  /* rule numbers */
    const uint32_t *direct; /* instead of leaves, shapes and lists: rules by leaf and service class */
    uint32_t groups;
    uint32_t zero;
};

struct mg_lookup {
    struct mg_side source, destination;
    struct mg_services services;
    uint32_t kind; /* enum mg_kind */
    uint32_t rules;
    struct mg_rows rows;
    struct mg_pairs pairs;
};

mg_inline uint32_t mg_class4(const struct mg_trie4 *trie, uint32_t address)
{
    uint32_t entry = trie->top[address >> 16];

    if (entry & MG_NODE) {
        entry = trie->blocks[((entry & ~MG_NODE) << 8) + (address >> 8 & 255)];
        if (entry & MG_NODE)
            entry = trie->blocks[((entry & ~MG_NODE) << 8) + (address & 255)];
    }
    return entry;
}

mg_inline uint32_t mg_class6(const struct mg_trie6 *trie, uint64_t hi, uint64_t lo)
{
    uint32_t entry = trie->root;

    for (int depth = 0; depth < 16 && (entry & MG_NODE); depth++) {
        const struct mg_jump *jump = &trie->jumps[entry & ~MG_NODE];

        if (((hi ^ jump->hi) & jump->hi_mask) | ((lo ^ jump->lo) & jump->lo_mask))
            return jump->otherwise;
        entry = trie->blocks[jump->block + ((jump->low ? lo : hi) >> jump->shift & 255)];
    }
    return entry;
}

mg_inline uint32_t mg_class_of(const struct mg_side *side, int version, uint64_t hi, uint64_t lo)
{
    return version == 4 ? mg_class4(&side->v4, (uint32_t)lo) : mg_class6(&side->v6, hi, lo);
}

mg_inline uint32_t mg_source_class(const struct mg_lookup *t, int version, uint64_t hi, uint64_t lo)
{
    return mg_class_of(&t->source, version, hi, lo);
}

mg_inline uint32_t mg_destination_class(const struct mg_lookup *t, int version, uint64_t hi, uint64_t lo)
{
    return mg_class_of(&t->destination, version, hi, lo);
}

/* Of ICMP, `dport` is the type and `sport` the code, as in struct mg_frame. */
mg_inline uint32_t mg_service_class(const struct mg_lookup *t, uint8_t protocol, uint16_t sport, uint16_t dport)
{
    const struct mg_services *s = &t->services;

    return s->classes[s->sport[sport] + s->dport[dport] + s->protocol[protocol]];
}

/* The ports of a key: of ICMP its tail holds id, type and code. */
mg_inline uint32_t mg_ports(uint8_t protocol, uint32_t tail)
{
    if (protocol == 1 || protocol == 58)
        return (tail & 255) << 16 | (tail >> 8 & 255);
    return tail;
}

mg_inline uint32_t mg_first_in_rows(const struct mg_rows *r, uint32_t s, uint32_t d, uint32_t v)
{
    const uint64_t *one = r->rows[0] + (size_t)s * r->words;
    const uint64_t *two = r->rows[1] + (size_t)d * r->words;
    const uint64_t *three = r->rows[2] + (size_t)v * r->words;

    for (uint32_t k = 0; k < r->summaries; k++) {
        uint64_t live = r->summary[0][(size_t)s * r->summaries + k] & r->summary[1][(size_t)d * r->summaries + k] &
                        r->summary[2][(size_t)v * r->summaries + k];

        for (; live; live &= live - 1) {
            uint32_t at = (k * 64 + (uint32_t)__builtin_ctzll(live)) * r->chunk;

            for (uint32_t end = at + r->chunk; at < end; at++) {
                uint64_t both = one[at] & two[at] & three[at];

                if (both)
                    return at * 64 + (uint32_t)__builtin_ctzll(both);
            }
        }
    }
    return MG_NO_RULE;
}

mg_inline uint32_t mg_leaf_of(const struct mg_pair_table *table, uint32_t row, uint32_t column)
{
    uint32_t at;

    if (table->dense)
        return table->dense[row + column];
    at = table->top[row + column / (MG_COLUMNS * MG_PAGES)];
    at = table->spans[at + column / MG_COLUMNS % MG_PAGES];
    return table->pages[at + column % MG_COLUMNS];
}

mg_inline uint32_t mg_first_in_pairs(const struct mg_pairs *p, uint32_t s, uint32_t d, uint32_t v)
{
    uint32_t best = MG_NO_RULE;

    for (uint32_t g = 0; g < p->groups && g < MG_GROUPS; g++) {
        uint32_t leaf = mg_leaf_of(&p->tables[g], p->rows[s * MG_GROUPS + g], p->columns[d * MG_GROUPS + g]);
        uint32_t rule;

        if (p->direct)
            rule = p->direct[leaf + v];
        else
            rule = p->lists[p->leaves[leaf].list + p->shapes[p->leaves[leaf].shape + v]];
        best = rule < best ? rule : best;
    }
    return best;
}

/* The first rule that packets of these classes match, or MG_NO_RULE. */
mg_inline uint32_t mg_first_match(const struct mg_lookup *t, uint32_t s, uint32_t d, uint32_t v)
{
    return t->kind == MG_BIT_VECTORS ? mg_first_in_rows(&t->rows, s, d, v) : mg_first_in_pairs(&t->pairs, s, d, v);
}

#ifndef __bpf__
#include "classify_build.h"

/* Headers to look up, as columns of one IP version; `ports` are source port << 16 | destination port, of ICMP
 * code << 16 | type. Of IPv6, `hi` is the upper half of an address; of IPv4 it is not read. */
struct mg_headers {
    const uint32_t *source4, *destination4;
    const uint64_t *source_hi, *source_lo, *destination_hi, *destination_lo;
    const uint32_t *ports;
    const uint8_t *protocols;
    uint32_t version;
};

/* What they are: the three classes and the first rule of each. Any but `rules` may be NULL. */
struct mg_answers {
    uint32_t *sources, *destinations, *services, *rules;
};

void mg_classify_headers(const struct mg_tables *tables, const struct mg_headers *headers, uint64_t count,
                         const struct mg_answers *answers);

/* The same for keys of both versions, each `stride` bytes behind the one before. */
void mg_classify_keys(const struct mg_tables *tables, const struct mg_key *keys, uint64_t stride, uint64_t count,
                      const struct mg_answers *answers);

/* The instruction set in use: 1 for the baseline, 3 for x86-64-v3. mg_classify_level(1) stays at the baseline
 * (for tests and measurements), mg_classify_level(0) takes the best there is; both return what is now in use. */
int mg_classify_level(int most);
#endif

#endif
