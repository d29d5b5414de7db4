#include "classify_parts.h"
bool mg_build_pairs(struct mg_tables *t) { return mg_fail(&t->budget, MG_TOO_LARGE); }
