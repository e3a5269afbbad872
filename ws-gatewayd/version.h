/* The version, for logs, -v, metrics and the control protocol. */
#ifndef VERSION_H
#define VERSION_H

#define WSG_VERSION	"0.1.0"

#endif /* VERSION_H */
