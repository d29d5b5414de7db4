/* Looking up many packets at once: 64 at a time, step by step, so that their cache misses overlap. */
#include "classify.h"

#include <stdatomic.h>

enum { BATCH = 64 };

/* A batch on its way: columns of one IP version and what is known of them so far. */
struct batch {
    uint32_t source4[BATCH], destination4[BATCH], ports[BATCH], protocols[BATCH];
    uint32_t s[BATCH], d[BATCH], v[BATCH], rules[BATCH];
    uint32_t one[BATCH], two[BATCH], three[BATCH];
    uint64_t live[BATCH];
};

#define TARGET
#define NAME(step) step##_baseline
#include "classify_batch.h"
#undef TARGET
#undef NAME

#ifdef __x86_64__
#define TARGET __attribute__((target("arch=x86-64-v3")))
#define NAME(step) step##_v3
#define LANES 1
#include "classify_batch.h"
#undef TARGET
#undef NAME
#undef LANES
#endif

typedef void headers_step(const struct mg_lookup *, const struct mg_headers *, uint64_t, const struct mg_answers *);
typedef void keys_step(const struct mg_lookup *, const struct mg_key *, uint64_t, uint64_t, const struct mg_answers *);

static atomic_int level;

static int best_level(void)
{
#ifdef __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
        __builtin_cpu_supports("fma") && __builtin_cpu_supports("popcnt"))
        return 3;
#endif
    return 1;
}

int mg_classify_level(int most)
{
    int best = best_level();

    best = most && most < best ? 1 : best;
    atomic_store_explicit(&level, best, memory_order_relaxed);
    return best;
}

static int level_in_use(void)
{
    int now = atomic_load_explicit(&level, memory_order_relaxed);

    return now ? now : mg_classify_level(0);
}

void mg_classify_headers(const struct mg_tables *tables, const struct mg_headers *headers, uint64_t count,
                         const struct mg_answers *answers)
{
    headers_step *step = headers_baseline;

#ifdef __x86_64__
    if (level_in_use() >= 3)
        step = headers_v3;
#endif
    step(mg_tables_lookup(tables), headers, count, answers);
}

void mg_classify_keys(const struct mg_tables *tables, const struct mg_key *keys, uint64_t stride, uint64_t count,
                      const struct mg_answers *answers)
{
    keys_step *step = keys_baseline;

#ifdef __x86_64__
    if (level_in_use() >= 3)
        step = keys_v3;
#endif
    step(mg_tables_lookup(tables), keys, stride, count, answers);
}
