/* Where Linux keeps the sockets of its daemons. */
#include "control.h"

const char	control_system_path[] = "/run/ws-gatewayd.sock";
