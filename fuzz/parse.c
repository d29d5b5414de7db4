/* libFuzzer target of the parser: six bytes of link type and missing bytes, then the frame. Checked beside what the
 * sanitizers see: what every consumer relies on. */
#include <stdlib.h>

#include "parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

#define CHECK(holds)      \
    do {                  \
        if (!(holds))     \
            abort();      \
    } while (0)

static void check_key(const struct mg_key *key)
{
    CHECK(key->version == 4 || key->version == 6);
    CHECK(key->zero == 0);
    if (key->version == 4)
        CHECK(key->src_hi == 0 && key->dst_hi == 0 && key->src_lo >> 32 == 0 && key->dst_lo >> 32 == 0);
    struct mg_key back = mg_reverse(key), again = mg_reverse(&back);
    CHECK(memcmp(key, &again, sizeof again) == 0);
}

static void check_frame(const struct mg_frame *frame, uint32_t captured, uint32_t wire)
{
    check_key(&frame->key);
    CHECK(frame->quotes <= 1);
    if (frame->quotes)
        check_key(&frame->quoted);
    CHECK(frame->payload <= 0xFFFF && frame->offset + frame->payload <= 0xFFFF);
    CHECK(frame->payload <= wire);
    CHECK(frame->fragment <= MG_LATER_FRAGMENT && frame->checksum <= MG_CHECKSUM_WRONG);
    CHECK((frame->fragment == MG_LATER_FRAGMENT) == (frame->offset != 0));
    CHECK(frame->vlan == MG_NO_VLAN || frame->vlan <= 0x0FFF);
    CHECK(frame->src_mac == MG_NO_MAC || frame->src_mac >> 48 == 0);
    CHECK(frame->truncated <= (captured < wire));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    if (size < 6)
        return 0;
    int32_t linktype = input[0] << 8 | input[1];
    if (linktype == 0xFFFF)
        linktype = MG_LINK_UNKNOWN;
    uint32_t captured = (uint32_t)size - 6;
    /* More or less on the wire than was captured: both are seen in files. */
    uint32_t wire = captured + mg_load32(input + 2);
    /* A copy of exactly this size: one byte too far is seen on either side. */
    uint8_t *data = malloc(captured ? captured : 1);
    CHECK(data);
    memcpy(data, input + 6, captured);
    struct mg_frame frame, second;
    memset(&frame, 0x5A, sizeof frame);
    memset(&second, 0xA5, sizeof second);
    CHECK(mg_parse(linktype, data, captured, wire, &frame) == frame.reason);
    mg_parse(linktype, data, captured, wire, &second);
    CHECK(frame.reason <= MG_BAD_UDP && frame.reason == second.reason);
    if (frame.reason == MG_READ) {
        check_frame(&frame, captured, wire);
        /* Nothing is left as it was before. */
        CHECK(memcmp(&frame, &second, offsetof(struct mg_frame, quoted)) == 0);
        CHECK(!frame.quotes || memcmp(&frame.quoted, &second.quoted, sizeof frame.quoted) == 0);
    }
    int leaves = mg_leaves(linktype, data, captured);
    CHECK(leaves >= -1 && leaves <= 1);
    free(data);
    return 0;
}
