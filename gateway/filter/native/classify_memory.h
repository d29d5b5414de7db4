/* Memory of the table builder: every byte counted against one budget, everything freed at once.
 *
 * An owner holds a list of blocks. A builder that fails just returns; its owners are freed as a whole, so no
 * step needs a path of its own for cleaning up. The first error is kept in the budget. */
#ifndef MASUGATA_CLASSIFY_MEMORY_H
#define MASUGATA_CLASSIFY_MEMORY_H

#include <stdbool.h>
#include <string.h>

#include "classify.h"

struct mg_budget {
    uint64_t used, max;
    uint64_t key[2];
    int error; /* enum mg_build_error */
};

struct mg_block {
    _Alignas(64) struct mg_block *next;
    struct mg_block **link;
    uint64_t bytes;
};

struct mg_owner {
    struct mg_block *first;
    struct mg_budget *budget;
};

/* Blocks are aligned to 64 bytes, and on huge pages where they are large. All return NULL once there is an error. */
void *mg_take(struct mg_owner *owner, uint64_t count, uint64_t size);       /* undefined contents */
void *mg_take_zeroed(struct mg_owner *owner, uint64_t count, uint64_t size);
void mg_give(struct mg_owner *owner, void *block);
void mg_give_all(struct mg_owner *owner);
uint64_t mg_owned_bytes(const struct mg_owner *owner);

bool mg_fail(struct mg_budget *budget, int error); /* always false */

/* Make room for `need` items, at least doubling; `*items` moves. */
bool mg_reserve(struct mg_owner *owner, void *items, uint64_t *room, uint64_t need, uint64_t size);

/* A map from 128-bit keys that are hashes already to numbers. */
#define MG_UNSET 0xFFFFFFFFu
struct mg_slot {
    uint64_t one, two;
    uint32_t value, zero;
};
struct mg_map {
    struct mg_owner *owner;
    struct mg_slot *slots;
    uint64_t room;
    uint32_t count;
};
struct mg_hash {
    uint64_t one, two;
};

bool mg_map_open(struct mg_map *map, struct mg_owner *owner, uint64_t room); /* room: a power of two */
void mg_map_close(struct mg_map *map);
/* The value stored under a key; MG_UNSET if it is new, and then the caller must set it. NULL: an error. */
uint32_t *mg_map_at(struct mg_map *map, struct mg_hash key);

static inline uint64_t mg_mixed(uint64_t x)
{
    x = (x ^ x >> 32) * 0xD6E8FEB86659FD93u;
    x = (x ^ x >> 32) * 0xD6E8FEB86659FD93u;
    return x ^ x >> 32;
}

/* The keyed hash of a number. Sets are hashed as the exclusive or of their members, so that a member comes and
 * goes in one step; with a key nobody knows, 128 bits make equal hashes of different sets a matter of no chance. */
static inline struct mg_hash mg_hash_of(const struct mg_budget *budget, uint64_t number)
{
    struct mg_hash hash;

    hash.one = mg_mixed(number * 0x9E3779B97F4A7C15u ^ budget->key[0]);
    hash.two = mg_mixed(hash.one + budget->key[1] + number);
    return hash;
}

static inline void mg_hash_toggle(struct mg_hash *set, struct mg_hash member)
{
    set->one ^= member.one;
    set->two ^= member.two;
}

struct mg_hash mg_hash_words(const struct mg_budget *budget, const void *bytes, uint64_t count); /* of 32 bits */

#endif
