/* The hash of players against a plain array, through growth and removal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub.h"
#include "player_hash.h"

#define MANY	5000

static struct player	*players[MANY];

static size_t
name(int i, char *buf, size_t size)
{
	return ((size_t)snprintf(buf, size, i % 3 == 0 ? "%d" : "player-%d",
	    i));
}

static void
add(int i)
{
	char	 id[32];
	size_t	 len = name(i, id, sizeof(id));

	players[i] = calloc(1, PLAYER_SIZE(len));
	assert_non_null(players[i]);
	players[i]->len = (uint8_t)len;
	memcpy(players[i]->id, id, len);
	player_hash_insert(players[i]);
}

static void
drop(int i)
{
	player_hash_remove(players[i]);
	free(players[i]);
	players[i] = NULL;
}

static void
check(void)
{
	char	 id[32];
	size_t	 len;
	int	 i;

	for (i = 0; i < MANY; i++) {
		len = name(i, id, sizeof(id));
		assert_ptr_equal(player_hash_find(id, len), players[i]);
	}
}

static void
test_all(void **state)
{
	int	 i;

	(void)state;
	assert_null(player_hash_find("1", 1));
	for (i = 0; i < MANY; i++) {
		add(i);
		/* At every size that the table has, near its start. */
		if (i < 300 || i == MANY / 2)
			check();
	}
	check();
	for (i = 0; i < MANY; i += 2)
		drop(i);
	check();
	for (i = 0; i < MANY; i += 4)
		add(i);
	check();
	for (i = 0; i < MANY; i++) {
		if (players[i] != NULL)
			drop(i);
	}
	check();
	add(7);
	check();
	drop(7);
}

static void
test_bytes(void **state)
{
	struct player	*p;

	(void)state;
	/* Identities are bytes: NULs count, and nothing is a prefix. */
	p = calloc(1, PLAYER_SIZE(3));
	assert_non_null(p);
	p->len = 3;
	memcpy(p->id, "a\0b", 3);
	player_hash_insert(p);
	assert_ptr_equal(player_hash_find("a\0b", 3), p);
	assert_null(player_hash_find("a\0c", 3));
	assert_null(player_hash_find("a", 1));
	player_hash_remove(p);
	free(p);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_bytes),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
