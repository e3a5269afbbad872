/* LibreSSL wipes by itself what held a key. */
#include "keys.h"

void
key_memory_init(void)
{
}
