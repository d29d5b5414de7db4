/* What a run adds up: packets by verdict, by second, by mark, by what could not be read, and flows. */
#include "engine_parts.h"

#define MG_NANO 1000000000LL

static void count_second(struct mg_engine *engine, int64_t time_ns, uint32_t verdict)
{
    int64_t second = time_ns / MG_NANO;
    struct mg_second *slot = &engine->seconds[((uint64_t)second * 31 + verdict) % MG_SECONDS];
    if (mg_unlikely(slot->second != second || slot->verdict != verdict)) {
        if (slot->packets)
            engine->seconds_out[engine->second_count++] = *slot;
        *slot = (struct mg_second){.second = second, .verdict = verdict};
    }
    slot->packets++;
}

void mg_flush_seconds(struct mg_engine *engine)
{
    for (int i = 0; i < MG_SECONDS; i++)
        if (engine->seconds[i].packets)
            engine->seconds_out[engine->second_count++] = engine->seconds[i];
    memset(engine->seconds, 0, sizeof engine->seconds);
}

static void count_time(struct mg_totals *totals, int64_t time_ns)
{
    if (mg_unlikely(totals->packets == 1))
        totals->first_ns = totals->last_ns = totals->before_ns = time_ns;
    else if (time_ns > totals->last_ns)
        totals->last_ns = time_ns;
    else if (time_ns < totals->first_ns)
        totals->first_ns = time_ns;
    totals->backwards += totals->before_ns - time_ns > MG_NANO;
    totals->before_ns = time_ns;
}

static void count_reason(struct mg_totals *totals, uint8_t reason, uint32_t wire)
{
    struct mg_reason_sum *sum = &totals->reasons[reason];
    if (sum->packets == 0)
        sum->first = totals->packets;
    sum->packets++;
    sum->bytes += wire;
}

static void count(struct mg_engine *engine, const struct mg_record *record, uint32_t at, struct mg_judgement *judgement)
{
    struct mg_totals *totals = &engine->totals;
    const struct mg_frame *frame = &engine->frames[at];
    totals->packets++;
    count_time(totals, record->time_ns);
    if (judgement->verdict) {
        struct mg_verdict *verdict = &engine->verdicts[judgement->verdict];
        totals->judged++;
        if (verdict->packets++ == 0)
            verdict->first = totals->packets;
        verdict->bytes += record->wire;
        if (frame->reason == MG_READ) {
            struct mg_counted counted = {.number = totals->packets,
                                         .connection = judgement->connection,
                                         .time_ns = record->time_ns,
                                         .wire = record->wire,
                                         .verdict = judgement->verdict};
            uint64_t hash = engine->hashes[at];
            if (mg_unlikely(frame->fragment == MG_LATER_FRAGMENT)) /* it has the key of the first now */
                hash = mg_flow_hash(engine->tracker->hash_key, &frame->key);
            struct mg_flow *flow = mg_flows_add(engine->flows, frame, hash, &counted);
            if (mg_question_state(&verdict->question) == MG_INVALID && mg_flow_strays(flow, frame))
                judgement->marks |= MG_MID_STREAM;
        }
    } else if (judgement->marks & (MG_OUTBOUND_COPY | MG_GATEWAY_ANSWER)) {
        totals->skipped++;
        totals->marks[judgement->marks]++;
        return;
    } else {
        totals->unparsed++;
    }
    count_second(engine, record->time_ns, judgement->verdict);
    totals->marks[judgement->marks]++;
    if (frame->reason != MG_READ)
        count_reason(totals, frame->reason, record->wire);
}

static bool out_full(const struct mg_engine *engine)
{
    return engine->flows->row_room - engine->flows->row_count < MG_BATCH * MG_ROWS_A_PACKET ||
           engine->second_room - engine->second_count < MG_BATCH;
}

uint32_t mg_run(struct mg_engine *engine, const struct mg_record *records, uint32_t number, enum mg_stop *stop)
{
    uint32_t done = 0;
    *stop = MG_DONE;
    while (done < number) {
        uint32_t wanted = number - done < MG_BATCH ? number - done : MG_BATCH;
        if (mg_verdicts_full(engine) || out_full(engine)) {
            *stop = out_full(engine) ? MG_FULL_ROWS : MG_FULL_VERDICTS;
            return done;
        }
        uint32_t n = mg_prepare(engine, records + done, wanted);
        for (uint32_t i = 0; i < n; i++) {
            struct mg_judgement judgement = mg_judge_prepared(engine, &records[done + i], i);
            count(engine, &records[done + i], i, &judgement);
        }
        done += n;
        if (n < wanted) {
            *stop = MG_OTHER_TIME;
            return done;
        }
    }
    return done;
}

int mg_end_flows(struct mg_engine *engine)
{
    struct mg_flows *flows = engine->flows;
    while (flows->live && flows->row_room - flows->row_count >= MG_ROWS_A_PACKET)
        mg_flow_end(flows, &flows->flows[flows->flows[0].newer]);
    return flows->live != 0;
}

uint32_t mg_emit_flows(struct mg_engine *engine, uint32_t from)
{
    struct mg_flows *flows = engine->flows;
    uint32_t at = from ? from : flows->flows[0].newer;
    for (; at; at = flows->flows[at].newer) {
        if (flows->row_room - flows->row_count < MG_ROWS_A_PACKET)
            return at;
        mg_flow_emit(flows, &flows->flows[at], 0);
        mg_flow_emit(flows, &flows->flows[at], 1);
    }
    return 0;
}
