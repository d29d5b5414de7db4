/* An XDP program that only parses: loading it is the kernel's proof that parse.h reads nothing outside a packet,
 * running it shows that it says the same there. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "parse.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct mg_frame);
} said SEC(".maps");

SEC("xdp")
int parse_only(struct xdp_md *context)
{
    struct mg_view view = mg_view_of(context, 0);
    __u32 zero = 0;
    struct mg_frame *frame = bpf_map_lookup_elem(&said, &zero);
    view.wire = view.captured;
    if (!frame || view.wire > MG_MOST_BYTES)
        return XDP_ABORTED;
    mg_parse_ethernet(&view, frame);
    return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
