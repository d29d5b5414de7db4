#define _GNU_SOURCE
#include "classify_memory.h"

#include <stdlib.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#define HUGE_PAGE (UINT64_C(2) << 20)
#define HUGE_FROM (UINT64_C(4) << 20)

bool mg_fail(struct mg_budget *budget, int error)
{
    if (budget->error == MG_BUILT)
        budget->error = error;
    return false;
}

static struct mg_block *fresh_block(uint64_t bytes)
{
    bool huge = bytes >= HUGE_FROM;
    uint64_t alignment = huge ? HUGE_PAGE : 64;
    struct mg_block *block = aligned_alloc(alignment, (bytes + alignment - 1) & ~(alignment - 1));

#ifdef MADV_HUGEPAGE
    if (block && huge)
        (void)madvise(block, (bytes + alignment - 1) & ~(alignment - 1), MADV_HUGEPAGE); /* only a wish */
#endif
    return block;
}

void *mg_take(struct mg_owner *owner, uint64_t count, uint64_t size)
{
    struct mg_budget *budget = owner->budget;
    struct mg_block *block;
    uint64_t bytes;

    if (budget->error != MG_BUILT)
        return NULL;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > budget->max || budget->max - bytes < budget->used) {
        mg_fail(budget, MG_TOO_LARGE);
        return NULL;
    }
    block = fresh_block(bytes + sizeof *block);
    if (!block) {
        mg_fail(budget, MG_NO_MEMORY);
        return NULL;
    }
    block->bytes = bytes;
    block->next = owner->first;
    block->link = &owner->first;
    if (block->next)
        block->next->link = &block->next;
    owner->first = block;
    budget->used += bytes;
    return block + 1;
}

void *mg_take_zeroed(struct mg_owner *owner, uint64_t count, uint64_t size)
{
    void *items = mg_take(owner, count, size);

    return items ? memset(items, 0, count * size) : NULL;
}

void mg_give(struct mg_owner *owner, void *items)
{
    struct mg_block *block;

    if (!items)
        return;
    block = (struct mg_block *)items - 1;
    *block->link = block->next;
    if (block->next)
        block->next->link = block->link;
    owner->budget->used -= block->bytes;
    free(block);
}

void mg_give_all(struct mg_owner *owner)
{
    while (owner->first)
        mg_give(owner, owner->first + 1);
}

uint64_t mg_owned_bytes(const struct mg_owner *owner)
{
    uint64_t bytes = 0;

    for (const struct mg_block *block = owner->first; block; block = block->next)
        bytes += block->bytes;
    return bytes;
}

bool mg_reserve(struct mg_owner *owner, void *items, uint64_t *room, uint64_t need, uint64_t size)
{
    void *old, *grown;
    uint64_t wanted = need > *room * 2 ? need : *room * 2;

    if (need <= *room)
        return true;
    grown = mg_take(owner, wanted, size);
    if (!grown)
        return false;
    memcpy(&old, items, sizeof old);
    if (old)
        memcpy(grown, old, *room * size);
    mg_give(owner, old);
    memcpy(items, &grown, sizeof grown);
    *room = wanted;
    return true;
}

bool mg_map_open(struct mg_map *map, struct mg_owner *owner, uint64_t room)
{
    map->owner = owner;
    map->room = room;
    map->count = 0;
    map->slots = mg_take(owner, room, sizeof *map->slots);
    for (uint64_t i = 0; map->slots && i < room; i++)
        map->slots[i].value = MG_UNSET;
    return map->slots != NULL;
}

void mg_map_close(struct mg_map *map)
{
    mg_give(map->owner, map->slots);
    map->slots = NULL;
}

static struct mg_slot *slot_of(const struct mg_map *map, struct mg_hash key)
{
    uint64_t at = key.one & (map->room - 1);

    while (map->slots[at].value != MG_UNSET && (map->slots[at].one != key.one || map->slots[at].two != key.two))
        at = (at + 1) & (map->room - 1);
    return &map->slots[at];
}

static bool map_doubled(struct mg_map *map)
{
    struct mg_map larger;

    if (!mg_map_open(&larger, map->owner, map->room * 2))
        return false;
    for (uint64_t i = 0; i < map->room; i++)
        if (map->slots[i].value != MG_UNSET)
            *slot_of(&larger, (struct mg_hash){map->slots[i].one, map->slots[i].two}) = map->slots[i];
    larger.count = map->count;
    mg_map_close(map);
    *map = larger;
    return true;
}

uint32_t *mg_map_at(struct mg_map *map, struct mg_hash key)
{
    struct mg_slot *slot;

    if ((uint64_t)map->count * 2 >= map->room && !map_doubled(map))
        return NULL;
    slot = slot_of(map, key);
    if (slot->value == MG_UNSET) {
        slot->one = key.one;
        slot->two = key.two;
        map->count++;
    }
    return &slot->value;
}

struct mg_hash mg_hash_words(const struct mg_budget *budget, const void *bytes, uint64_t count)
{
    struct mg_hash hash = {budget->key[0] ^ count, budget->key[1]};
    const unsigned char *at = bytes;

    for (uint64_t i = 0; i < count; i++, at += sizeof(uint32_t)) {
        uint32_t word;

        memcpy(&word, at, sizeof word);
        hash.one = mg_mixed(hash.one ^ word);
        hash.two = (hash.two + word) * 0x9E3779B97F4A7C15u;
        hash.two ^= hash.two >> 31;
    }
    return hash;
}
