/*
 * The result: one line of key=value, or the same as a JSON object.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wsload.h"

static char	 line[8192];

void
report(const char *fmt, ...)
{
	size_t	 n = strlen(line);
	va_list	 ap;

	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	va_end(ap);
}

/* CPU used between a and b; other_cpu_s is everybody else on the machine. */
void
report_cpu(const struct usage *a, const struct usage *b, double secs,
    double units, const char *unit)
{
	double	 cpu = b->srv_cpu - a->srv_cpu, own = b->own_cpu - a->own_cpu;
	double	 core = b->core_cpu - a->core_cpu;

	if (o.pid != 0)
		report(" srv_cpu_s=%.4f srv_util=%.3f %s_per_cpu_s=%.0f "
		    "core_busy_s=%.2f %s_per_core_s=%.0f", cpu, cpu / secs,
		    unit, cpu > 0 ? units / cpu : 0, core, unit,
		    core > 0 ? units / core : 0);
	report(" load_util=%.3f other_cpu_s=%.2f steal_s=%.2f", own / secs,
	    b->all_cpu - a->all_cpu - cpu - own, b->steal - a->steal);
}

void
report_print(void)
{
	const char	*sep = "{";
	char		*k, *v, *end;

	if (!o.json) {
		puts(line);
		return;
	}
	for (k = strtok(line, " "); k != NULL; k = strtok(NULL, " ")) {
		v = strchr(k, '=');
		*v++ = '\0';
		(void)strtod(v, &end);
		if (*end == '\0' && end != v)
			printf("%s\"%s\":%s", sep, k, v);
		else
			printf("%s\"%s\":\"%s\"", sep, k, v);
		sep = ",";
	}
	puts("}");
}
