/* From a policy to tables, step by step; and what asks the tables as a whole. */
#include <stdlib.h>

#include "classify_parts.h"

#define BIT_VECTOR_RULES 2048 /* measured: above, class pairs are faster */

static bool sets_are_sound(const struct mg_sets *sets)
{
    if (sets->offsets[0] != 0 || sets->offsets[sets->count] != sets->items)
        return false;
    for (uint32_t i = 0; i < sets->count; i++)
        if (sets->offsets[i] > sets->offsets[i + 1])
            return false;
    return true;
}

static bool in_sets(uint32_t set, const struct mg_sets *sets)
{
    return set == MG_ANY || set < sets->count;
}

static bool rule_is_sound(const struct mg_rule *rule, const struct mg_policy *p)
{
    return in_sets(rule->source_labels, &p->label_sets) && in_sets(rule->source_prefixes, &p->prefix_sets) &&
           in_sets(rule->destination_labels, &p->label_sets) &&
           in_sets(rule->destination_prefixes, &p->prefix_sets) && rule->services < p->service_sets.count;
}

/* Counts stay below half of what their numbers hold, so that sums of two never wrap. */
static bool check(struct mg_budget *budget, const struct mg_policy *p)
{
    const uint32_t most = UINT32_MAX / 16;

    if (p->rule_count > most || p->prefix_sets.items > most || p->label_sets.items > most ||
        p->service_sets.items > most || p->prefix_sets.count > most || p->label_sets.count > most ||
        p->service_sets.count > most || p->source_label_count > most || p->destination_label_count > most)
        return mg_fail(budget, MG_TOO_MANY);
    if (!sets_are_sound(&p->prefix_sets) || !sets_are_sound(&p->label_sets) || !sets_are_sound(&p->service_sets))
        return mg_fail(budget, MG_BAD_REFERENCE);
    for (uint32_t i = 0; i < p->label_sets.items; i++)
        if (p->labels[i] > 0xFFFF)
            return mg_fail(budget, MG_BAD_LABEL);
    for (uint32_t i = 0; i < p->rule_count; i++)
        if (!rule_is_sound(&p->rules[i], p))
            return mg_fail(budget, MG_BAD_REFERENCE);
    return true;
}

static bool cut_side(struct mg_tables *t, const struct mg_policy *policy, struct mg_space *space, bool source)
{
    return mg_cut_addresses(t, policy, space, source) && mg_find_ends(t, policy, space, source);
}

static bool finish_side(struct mg_tables *t, const struct mg_space *space, struct mg_side *side)
{
    uint32_t *labels = mg_take(&t->kept, space->class_count, sizeof *labels);

    for (uint32_t i = 0; labels && i < space->class_count; i++)
        labels[i] = space->labels[space->sample[i]];
    side->labels = labels;
    side->classes = space->class_count;
    return labels && mg_build_tries(t, space, side);
}

/* By size; and where class pairs would not fit, bit vectors still may. */
static bool build_matches(struct mg_tables *t, uint32_t wanted)
{
    struct mg_space source = t->source, destination = t->destination;
    bool small = t->rules <= BIT_VECTOR_RULES;

    t->lookup.kind = wanted ? wanted : small ? MG_BIT_VECTORS : MG_CLASS_PAIRS;
    if (t->lookup.kind == MG_BIT_VECTORS)
        return mg_build_rows(t);
    if (mg_build_pairs(t))
        return true;
    if (wanted || t->budget.error != MG_TOO_LARGE)
        return false;
    mg_give(&t->scratch, t->source.classes);
    mg_give(&t->scratch, t->destination.classes);
    mg_give(&t->kept, t->source.sample);
    mg_give(&t->kept, t->destination.sample);
    t->source = source;
    t->destination = destination;
    t->budget.error = MG_BUILT;
    t->lookup.pairs = (struct mg_pairs){0};
    t->lookup.kind = MG_BIT_VECTORS;
    return mg_build_rows(t);
}

static bool build(struct mg_tables *t, const struct mg_policy *policy)
{
    if (policy->kind > MG_CLASS_PAIRS)
        return mg_fail(&t->budget, MG_BAD_REFERENCE);
    return check(&t->budget, policy) && cut_side(t, policy, &t->source, true) &&
           cut_side(t, policy, &t->destination, false) && mg_cut_services(t, policy) &&
           build_matches(t, policy->kind) && finish_side(t, &t->source, &t->lookup.source) &&
           finish_side(t, &t->destination, &t->lookup.destination);
}

int mg_tables_build(const struct mg_policy *policy, struct mg_tables **tables)
{
    struct mg_tables *t = calloc(1, sizeof *t);
    int error;

    *tables = NULL;
    if (!t)
        return MG_NO_MEMORY;
    t->budget = (struct mg_budget){.max = policy->max_bytes, .key = {policy->key[0], policy->key[1]}};
    t->kept.budget = t->scratch.budget = &t->budget;
    t->rules = t->lookup.rules = policy->rule_count;
    build(t, policy);
    mg_give_all(&t->scratch);
    error = t->budget.error;
    if (error != MG_BUILT)
        mg_tables_free(t);
    else
        *tables = t;
    return error;
}

void mg_tables_free(struct mg_tables *tables)
{
    if (!tables)
        return;
    mg_give_all(&tables->scratch);
    mg_give_all(&tables->kept);
    free(tables);
}

const struct mg_lookup *mg_tables_lookup(const struct mg_tables *tables)
{
    return &tables->lookup;
}

uint64_t mg_tables_bytes(const struct mg_tables *tables)
{
    return sizeof *tables + mg_owned_bytes(&tables->kept);
}

void mg_all_matches(const struct mg_tables *t, uint32_t s, uint32_t d, uint32_t v, uint64_t *matches)
{
    uint32_t from = t->source.sample[s], to = t->destination.sample[d];
    const uint64_t *sets = t->services.matches + (uint64_t)v * t->services.words;

    memset(matches, 0, ((uint64_t)t->rules + 63) / 64 * sizeof *matches);
    for (uint32_t i = 0; i < t->rules; i++) {
        uint32_t set = t->services.set_of_rule[i];

        if (sets[set / 64] >> set % 64 & 1 && mg_end_holds(&t->source, t->source.end_of_rule[i], from) &&
            mg_end_holds(&t->destination, t->destination.end_of_rule[i], to))
            matches[i / 64] |= UINT64_C(1) << i % 64;
    }
}
