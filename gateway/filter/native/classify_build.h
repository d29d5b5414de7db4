/* Building the tables of classify.h from ordered rules.
 *
 * Rules refer to sets (labels, prefixes, services) by number; a set that many rules share is worked on once. The
 * tables live in one allocation owner that counts every byte: past `max_bytes` building stops with MG_TOO_LARGE. */
#ifndef MASUGATA_CLASSIFY_BUILD_H
#define MASUGATA_CLASSIFY_BUILD_H

#include "core.h"

#define MG_ANY 0xFFFFFFFFu /* in a rule, instead of a set */
#define MG_ANY_PROTOCOL 256

enum mg_build_error {
    MG_BUILT = 0,
    MG_NO_MEMORY,    /* the system has none left */
    MG_TOO_LARGE,    /* the tables would pass max_bytes */
    MG_TOO_MANY,     /* classes, rules or sets beyond what a table can number */
    MG_BAD_PREFIX,   /* version, length or bits behind the length */
    MG_BAD_LABEL,    /* beyond 65,535, or two labels for one prefix */
    MG_BAD_SERVICE,  /* a range that runs backwards, or a protocol that is none */
    MG_BAD_REFERENCE /* a set that is not there, or offsets that run backwards */
};

struct mg_prefix {
    uint64_t hi, lo; /* as in struct mg_key */
    uint32_t label;  /* in label maps; else unused */
    uint8_t version; /* 4 or 6 */
    uint8_t length;
    uint16_t zero;
};

struct mg_box {
    uint16_t protocol; /* or MG_ANY_PROTOCOL */
    uint16_t sport_low, sport_high;
    uint16_t dport_low, dport_high;
};

struct mg_rule {
    uint32_t source_labels, source_prefixes; /* sets, or MG_ANY */
    uint32_t destination_labels, destination_prefixes;
    uint32_t services;
};

/* Set number i of an offset array reaches from offsets[i] to offsets[i + 1]; there is one more offset than sets. */
struct mg_sets {
    const uint32_t *offsets;
    uint32_t count;
    uint32_t items;
};

struct mg_policy {
    const struct mg_prefix *source_labels, *destination_labels; /* address → label; the longest prefix wins, else 0 */
    uint32_t source_label_count, destination_label_count;
    const struct mg_prefix *prefixes;
    struct mg_sets prefix_sets;
    const uint32_t *labels;
    struct mg_sets label_sets;
    const struct mg_box *boxes;
    struct mg_sets service_sets;
    const struct mg_rule *rules;
    uint32_t rule_count;
    uint32_t kind;      /* enum mg_kind, or 0: by size */
    uint64_t max_bytes; /* while building and after */
    uint64_t key[2];    /* random: keys the hashes by which equal sets are found */
};

struct mg_tables;
struct mg_lookup;

/* Returns an enum mg_build_error, and the tables if it is MG_BUILT; the policy is not needed afterwards. */
int mg_tables_build(const struct mg_policy *policy, struct mg_tables **tables);
void mg_tables_free(struct mg_tables *tables);
const struct mg_lookup *mg_tables_lookup(const struct mg_tables *tables);
uint64_t mg_tables_bytes(const struct mg_tables *tables);

/* Every matching rule as bits, into (rules + 63) / 64 words. Slow: it asks each rule. Classes must exist. */
void mg_all_matches(const struct mg_tables *tables, uint32_t s, uint32_t d, uint32_t v, uint64_t *matches);

#endif
