/* DPDK's classifier as a peer of bench/filter_classify.py, which builds this as a shared library. */
#include <arpa/inet.h>
#include <rte_acl.h>
#include <rte_eal.h>
#include <rte_malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rule { /* as filter_classify.py packs it */
    uint32_t source[4], destination[4];
    uint16_t sport_low, sport_high, dport_low, dport_high;
    uint8_t source_length, destination_length, protocol, protocol_mask;
    uint32_t number; /* of the answer, from 1 on */
};

struct header4 {
    uint8_t protocol, zero[3];
    uint32_t source, destination;
    uint16_t sport, dport;
} __attribute__((packed));

struct header6 {
    uint8_t protocol, zero[3];
    uint32_t source[4], destination[4];
    uint16_t sport, dport;
} __attribute__((packed));

RTE_ACL_RULE_DEF(wide_rule, 11);

struct peer {
    struct rte_acl_ctx *context;
    void *headers;
    const uint8_t **pointers;
    uint64_t bytes;
};

int peer_start(void)
{
    char *arguments[] = {"bench", "--no-huge", "--no-pci", "-m", "6144", "--no-telemetry", "--log-level=lib.*:error",
                         "--force-max-simd-bitwidth=512", NULL};

    return rte_eal_init(8, arguments);
}

static uint64_t allocated(void)
{
    struct rte_malloc_socket_stats stats;

    rte_malloc_get_socket_stats(0, &stats);
    return stats.heap_allocsz_bytes;
}

static void define(struct rte_acl_config *config, int words)
{
    int fields = 3 + 2 * words;

    config->num_categories = 1;
    config->num_fields = (uint32_t)fields;
    for (int i = 0; i < fields; i++) {
        int port = i > 2 * words;

        config->defs[i] = (struct rte_acl_field_def){
            .type = (uint8_t)(i == 0 ? RTE_ACL_FIELD_TYPE_BITMASK : port ? RTE_ACL_FIELD_TYPE_RANGE : RTE_ACL_FIELD_TYPE_MASK),
            .size = i == 0 ? 1 : port ? 2 : 4,
            .field_index = (uint8_t)i,
            .input_index = (uint8_t)(port ? 2 * words + 1 : i),
            .offset = (uint32_t)(i == 0 ? 0 : port ? 4 + 8 * words + (i - 2 * words - 1) * 2 : 4 * i)};
    }
}

static void prefix(struct rte_acl_field *fields, const uint32_t *address, int length, int words)
{
    for (int i = 0; i < words; i++, length -= 32) {
        fields[i].value.u32 = address[i];
        fields[i].mask_range.u32 = (uint32_t)(length > 32 ? 32 : length < 0 ? 0 : length);
    }
}

static int add(struct rte_acl_ctx *context, const struct rule *from, int words)
{
    struct wide_rule rule;
    struct rte_acl_field *ports = &rule.field[1 + 2 * words];

    memset(&rule, 0, sizeof rule);
    rule.data.category_mask = 1;
    rule.data.priority = RTE_ACL_MAX_PRIORITY - (int)from->number;
    rule.data.userdata = from->number;
    rule.field[0].value.u8 = from->protocol;
    rule.field[0].mask_range.u8 = from->protocol_mask;
    prefix(&rule.field[1], from->source, from->source_length, words);
    prefix(&rule.field[1 + words], from->destination, from->destination_length, words);
    ports[0].value.u16 = from->sport_low;
    ports[0].mask_range.u16 = from->sport_high;
    ports[1].value.u16 = from->dport_low;
    ports[1].mask_range.u16 = from->dport_high;
    return rte_acl_add_rules(context, (struct rte_acl_rule *)&rule, 1);
}

/* The seconds of building are measured by the caller; NULL: it did not work. */
struct peer *peer_build(const struct rule *rules, uint32_t count, int version)
{
    static int number;
    char name[16];
    int words = version == 4 ? 1 : 4;
    struct rte_acl_param parameters = {.name = name, .socket_id = SOCKET_ID_ANY,
                                       .rule_size = RTE_ACL_RULE_SZ(3u + 2u * (unsigned)words), .max_rule_num = count};
    struct rte_acl_config config;
    struct peer *peer = calloc(1, sizeof *peer);
    uint64_t before = allocated();

    memset(&config, 0, sizeof config);
    define(&config, words);
    snprintf(name, sizeof name, "set%d", number++);
    peer->context = rte_acl_create(&parameters);
    if (!peer->context)
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        if (add(peer->context, &rules[i], words))
            return NULL;
    if (rte_acl_build(peer->context, &config))
        return NULL;
    peer->bytes = allocated() - before;
    return peer;
}

uint64_t peer_bytes(const struct peer *peer)
{
    return peer->bytes;
}

/* Lay the headers out as rte_acl wants them. Addresses are words, four each; ports are source << 16 | destination. */
int peer_load(struct peer *peer, int version, uint64_t count, const uint32_t *sources, const uint32_t *destinations,
              const uint32_t *ports, const uint8_t *protocols)
{
    size_t size = version == 4 ? sizeof(struct header4) : sizeof(struct header6);

    peer->headers = aligned_alloc(64, (count * size + 127) & ~(size_t)63);
    peer->pointers = malloc(count * sizeof *peer->pointers);
    if (!peer->headers || !peer->pointers)
        return -1;
    memset(peer->headers, 0, count * size);
    for (uint64_t i = 0; i < count; i++) {
        uint16_t sport = htons((uint16_t)(ports[i] >> 16)), dport = htons((uint16_t)ports[i]);

        peer->pointers[i] = (uint8_t *)peer->headers + i * size;
        if (version == 4) {
            struct header4 *header = (struct header4 *)peer->headers + i;

            *header = (struct header4){protocols[i], {0}, htonl(sources[4 * i + 3]), htonl(destinations[4 * i + 3]), sport, dport};
        } else {
            struct header6 *header = (struct header6 *)peer->headers + i;

            header->protocol = protocols[i];
            for (int k = 0; k < 4; k++) {
                header->source[k] = htonl(sources[4 * i + (uint64_t)k]);
                header->destination[k] = htonl(destinations[4 * i + (uint64_t)k]);
            }
            header->sport = sport;
            header->dport = dport;
        }
    }
    return 0;
}

int peer_classify(const struct peer *peer, uint64_t count, uint32_t *answers, int algorithm)
{
    int failed = 0;

    for (uint64_t i = 0; i < count && !failed; i += 256)
        failed = rte_acl_classify_alg(peer->context, peer->pointers + i, answers + i,
                                      (uint32_t)(count - i < 256 ? count - i : 256), 1, algorithm);
    return failed;
}

int peer_avx2(void)
{
    return RTE_ACL_CLASSIFY_AVX2;
}

int peer_avx512(void)
{
    return RTE_ACL_CLASSIFY_AVX512X32;
}

void peer_free(struct peer *peer)
{
    rte_acl_free(peer->context);
    free(peer->headers);
    free(peer->pointers);
    free(peer);
}
