/* What the steps of the table builder hand to each other. */
#ifndef MASUGATA_CLASSIFY_PARTS_H
#define MASUGATA_CLASSIFY_PARTS_H

#include "classify_memory.h"

/* Numbers `to` is the first behind the range. */
struct mg_range {
    uint32_t from, to;
};

/* A list of lists: list i is items[offsets[i]] up to items[offsets[i + 1]]. */
struct mg_lists {
    uint32_t *offsets;
    uint32_t *items;
};

typedef unsigned __int128 mg_address;

/* The address space of one side, cut into the longest intervals in which no prefix begins or ends; those of IPv6
 * follow those of IPv4. An end is what one side of a rule asks for, labels and prefixes together. */
struct mg_space {
    uint32_t intervals, intervals4;
    uint32_t *starts4;
    mg_address *starts6;
    uint32_t *labels; /* of each interval */
    uint32_t ends;
    uint32_t *end_of_rule;
    struct mg_lists rules;   /* of each end */
    uint32_t *range_offsets; /* of each end */
    struct mg_range *ranges; /* apart, in order */
    struct mg_lists toggles; /* ends that begin or stop holding at an interval; the last list is of the very end */
    uint32_t *classes;       /* of each interval */
    uint32_t *sample;        /* an interval of each class */
    uint32_t class_count;
};

/* The services of all rules: distinct sets of boxes, and the sets that each service class matches. */
struct mg_service_space {
    uint32_t sets;
    uint32_t *set_of_rule;
    uint32_t words;
    uint64_t *matches; /* `words` words of set bits for each class */
    uint32_t class_count;
};

struct mg_tables {
    struct mg_budget budget;
    struct mg_owner kept, scratch;
    struct mg_lookup lookup;
    struct mg_space source, destination;
    struct mg_service_space services;
    uint32_t rules;
};

bool mg_cut_addresses(struct mg_tables *t, const struct mg_policy *policy, struct mg_space *space, bool source);
void mg_prefix_range(const struct mg_space *space, const struct mg_prefix *prefix, struct mg_range *range);
bool mg_find_ends(struct mg_tables *t, const struct mg_policy *policy, struct mg_space *space, bool source);
bool mg_end_holds(const struct mg_space *space, uint32_t end, uint32_t interval);
bool mg_cut_services(struct mg_tables *t, const struct mg_policy *policy);
bool mg_build_rows(struct mg_tables *t);
bool mg_build_pairs(struct mg_tables *t);
bool mg_build_tries(struct mg_tables *t, const struct mg_space *space, struct mg_side *side);

struct mg_pair {
    uint32_t list, item;
};

/* Turn pairs into lists; items keep the order they come in. */
bool mg_gather(struct mg_owner *owner, struct mg_lists *lists, uint32_t count, const struct mg_pair *pairs,
               uint64_t pair_count);

#endif
