/* Load the XDP program given as argument, and compare what it says of each Ethernet frame on standard input (a length
 * of four bytes in the order of this machine, then the frame) with what the parser says here. Prints how many. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>

#include "parse.h"

static int same(const struct mg_frame *a, const struct mg_frame *b)
{
    if (a->reason != b->reason)
        return 0;
    if (a->reason != MG_READ)
        return 1;
    if (a->quotes != b->quotes || (a->quotes && memcmp(&a->quoted, &b->quoted, sizeof a->quoted) != 0))
        return 0;
    return memcmp(a, b, offsetof(struct mg_frame, quoted)) == 0;
}

static void fail(const char *what, unsigned long number)
{
    fprintf(stderr, "frame %lu: %s\n", number, what);
    exit(1);
}

int main(int count, char **arguments)
{
    static uint8_t data[65536];
    struct bpf_object *object = count == 2 ? bpf_object__open_file(arguments[1], NULL) : NULL;
    if (!object || bpf_object__load(object) != 0)
        fail("the program cannot be loaded", 0);
    int program = bpf_program__fd(bpf_object__find_program_by_name(object, "parse_only"));
    int map = bpf_object__find_map_fd_by_name(object, "said");
    unsigned long frames = 0, read = 0;
    uint32_t length, zero = 0;
    while (fread(&length, sizeof length, 1, stdin) == 1) {
        if (length > sizeof data || fread(data, 1, length, stdin) != length)
            fail("cut off", frames);
        struct mg_frame here, there;
        memset(&here, 0x5A, sizeof here);
        memset(&there, 0x5A, sizeof there);
        LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = data, .data_size_in = length, .repeat = 1);
        if (bpf_map_update_elem(map, &zero, &there, BPF_ANY) != 0 || bpf_prog_test_run_opts(program, &options) != 0 ||
            options.retval != 2 /* XDP_PASS */ || bpf_map_lookup_elem(map, &zero, &there) != 0)
            fail("the program does not run", frames);
        read += mg_parse(MG_LINK_ETHERNET, data, length, length, &here) == MG_READ;
        if (!same(&here, &there))
            fail("XDP says something else", frames);
        frames++;
    }
    printf("%lu %lu\n", frames, read);
    return 0;
}
