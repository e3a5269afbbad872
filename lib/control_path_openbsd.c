/* Where OpenBSD keeps the sockets of its daemons. */
#include "control.h"

const char	control_system_path[] = "/var/run/ws-gatewayd.sock";
