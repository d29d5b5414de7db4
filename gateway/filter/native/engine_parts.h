/* What judging and adding up share. */
#ifndef MASUGATA_ENGINE_PARTS_H
#define MASUGATA_ENGINE_PARTS_H

#include "engine.h"

/* Parse a batch, and ask for the memory that judging it will want; returns how many packets are of this epoch. */
uint32_t mg_prepare(struct mg_engine *engine, const struct mg_record *records, uint32_t count);

/* Judge one packet of the batch that was prepared. */
struct mg_judgement mg_judge_prepared(struct mg_engine *engine, const struct mg_record *record, uint32_t at);

/* Whether there is no room for whatever a batch may ask: a packet, once begun, is judged to its end. */
bool mg_verdicts_full(const struct mg_engine *engine);

#endif
