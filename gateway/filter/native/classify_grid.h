/* Class-pair tables while they are made; see struct mg_pairs. */
#ifndef MASUGATA_CLASSIFY_GRID_H
#define MASUGATA_CLASSIFY_GRID_H

#include "classify_parts.h"

#define MG_SPAN (MG_COLUMNS * MG_PAGES)

struct mg_vector { /* grows in the owner of the attempt */
    uint32_t *at;
    uint64_t count, room;
};

/* A leaf is a set of rules. Of rules with equal services only the first can decide, so a leaf keeps one rule for
 * each set of services; leaves that list the same sets in the same order share a shape. */
struct mg_leaves {
    struct mg_tables *t;
    struct mg_owner *owner;
    struct mg_lists classes_of_set; /* service classes that match a set of services */
    struct mg_map by_rules, by_shape;
    struct mg_vector leaves; /* struct mg_leaf as two words each */
    struct mg_vector lists;
    uint16_t *shapes;
    uint64_t shape_count, shape_room;
    uint32_t *stamps; /* of each set of services: the last leaf that has it */
    uint32_t stamp;
    struct mg_vector kept; /* rules of the leaf at work */
};

bool mg_leaves_open(struct mg_leaves *leaves, struct mg_tables *t, struct mg_owner *owner);
/* The leaf of these rules (in order), whose hash is `hash`; no rules are leaf 0. */
bool mg_leaf_for(struct mg_leaves *leaves, const uint32_t *rules, uint32_t count, struct mg_hash hash,
                 uint32_t *leaf);
uint64_t mg_leaves_bytes(const struct mg_leaves *leaves);

/* One group of rules: rows are distinct sets of rules by source, columns run along the destination space. */
struct mg_grid {
    struct mg_tables *t;
    struct mg_owner *owner;
    struct mg_leaves *leaves;
    const uint8_t *group_of_rule;
    uint8_t group;
    uint32_t rules, rows, columns, spans_of_row;
    uint32_t *row_of;    /* of each source interval */
    uint32_t *column_of; /* of each destination interval, and of the end */
    struct mg_vector top, spans, pages;
    struct mg_map by_page, by_span, by_row;
    uint64_t most_bytes; /* beyond, the attempt is given up: `exploded` */
    bool exploded;
};

bool mg_grid_fill(struct mg_grid *grid);
uint32_t mg_grid_leaf(const struct mg_grid *grid, uint32_t row, uint32_t column);
bool mg_vector_add(struct mg_owner *owner, struct mg_vector *vector, const uint32_t *words, uint32_t count);

#endif
