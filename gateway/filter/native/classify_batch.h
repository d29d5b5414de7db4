/* The steps of a batch, compiled once for each instruction set: no include guard. The file that includes this
 * defines NAME(step) and TARGET, and LANES where 32-bit words can be gathered. */

TARGET static inline void NAME(classes4)(const struct mg_lookup *t, struct batch *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        b->s[i] = mg_class4(&t->source.v4, b->source4[i]);
    for (uint32_t i = 0; i < count; i++)
        b->d[i] = mg_class4(&t->destination.v4, b->destination4[i]);
}

TARGET static inline void NAME(services)(const struct mg_lookup *t, struct batch *b, uint32_t count)
{
    const struct mg_services *s = &t->services;

    for (uint32_t i = 0; i < count; i++)
        b->v[i] = s->classes[s->sport[b->ports[i] >> 16] + s->dport[b->ports[i] & 0xFFFF] +
                             s->protocol[b->protocols[i]]];
}

TARGET static inline void NAME(rows)(const struct mg_rows *r, struct batch *b, uint32_t count)
{
    if (r->summaries != 1) {
        for (uint32_t i = 0; i < count; i++)
            b->rules[i] = mg_first_in_rows(r, b->s[i], b->d[i], b->v[i]);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t live = r->summary[0][b->s[i]] & r->summary[1][b->d[i]] & r->summary[2][b->v[i]];

        b->live[i] = live;
        if (live) {
            uint32_t at = (uint32_t)__builtin_ctzll(live) * r->chunk;

            __builtin_prefetch(r->rows[0] + (size_t)b->s[i] * r->words + at);
            __builtin_prefetch(r->rows[1] + (size_t)b->d[i] * r->words + at);
            __builtin_prefetch(r->rows[2] + (size_t)b->v[i] * r->words + at);
        }
    }
    for (uint32_t i = 0; i < count; i++)
        b->rules[i] = b->live[i] ? mg_first_in_rows(r, b->s[i], b->d[i], b->v[i]) : MG_NO_RULE;
}

TARGET static inline void NAME(pairs)(const struct mg_pairs *p, struct batch *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        b->rules[i] = mg_first_in_pairs(p, b->s[i], b->d[i], b->v[i]);
}

TARGET static inline void NAME(first)(const struct mg_lookup *t, struct batch *b, uint32_t count)
{
    NAME(services)(t, b, count);
    if (t->kind == MG_BIT_VECTORS)
        NAME(rows)(&t->rows, b, count);
    else
        NAME(pairs)(&t->pairs, b, count);
}

TARGET static inline void NAME(store)(const struct batch *b, uint64_t at, uint32_t count, const struct mg_answers *to)
{
    if (to->sources)
        __builtin_memcpy(to->sources + at, b->s, count * sizeof *b->s);
    if (to->destinations)
        __builtin_memcpy(to->destinations + at, b->d, count * sizeof *b->d);
    if (to->services)
        __builtin_memcpy(to->services + at, b->v, count * sizeof *b->v);
    __builtin_memcpy(to->rules + at, b->rules, count * sizeof *b->rules);
}

TARGET static void NAME(headers)(const struct mg_lookup *t, const struct mg_headers *h, uint64_t count,
                                 const struct mg_answers *answers)
{
    struct batch b;

    for (uint64_t at = 0; at < count; at += BATCH) {
        uint32_t some = count - at < BATCH ? (uint32_t)(count - at) : BATCH;

        for (uint32_t i = 0; i < some; i++) {
            b.ports[i] = h->ports[at + i];
            b.protocols[i] = h->protocols[at + i];
        }
        if (h->version == 4) {
            __builtin_memcpy(b.source4, h->source4 + at, some * sizeof *b.source4);
            __builtin_memcpy(b.destination4, h->destination4 + at, some * sizeof *b.destination4);
            NAME(classes4)(t, &b, some);
        } else {
            for (uint32_t i = 0; i < some; i++)
                b.s[i] = mg_class6(&t->source.v6, h->source_hi[at + i], h->source_lo[at + i]);
            for (uint32_t i = 0; i < some; i++)
                b.d[i] = mg_class6(&t->destination.v6, h->destination_hi[at + i], h->destination_lo[at + i]);
        }
        NAME(first)(t, &b, some);
        NAME(store)(&b, at, some, answers);
    }
}

TARGET static void NAME(keys)(const struct mg_lookup *t, const struct mg_key *keys, uint64_t stride, uint64_t count,
                              const struct mg_answers *answers)
{
    const char *base = (const char *)keys;
    struct batch b;

    for (uint64_t at = 0; at < count; at += BATCH) {
        uint32_t some = count - at < BATCH ? (uint32_t)(count - at) : BATCH;
        uint32_t sixes = 0;

        for (uint32_t i = 0; i < some; i++) {
            const struct mg_key *key = (const struct mg_key *)(base + (at + i) * stride);

            b.source4[i] = (uint32_t)key->src_lo;
            b.destination4[i] = (uint32_t)key->dst_lo;
            b.ports[i] = mg_ports(key->protocol, key->tail);
            b.protocols[i] = key->protocol;
            sixes += key->version != 4;
        }
        NAME(classes4)(t, &b, some);
        for (uint32_t i = 0; sixes && i < some; i++) {
            const struct mg_key *key = (const struct mg_key *)(base + (at + i) * stride);

            if (key->version != 4) {
                b.s[i] = mg_class6(&t->source.v6, key->src_hi, key->src_lo);
                b.d[i] = mg_class6(&t->destination.v6, key->dst_hi, key->dst_lo);
            }
        }
        NAME(first)(t, &b, some);
        NAME(store)(&b, at, some, answers);
    }
}
