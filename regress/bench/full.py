"""What "make bench-full" adds: parts with a TITLE, measure(kinds, rounds) ->
what goes into the JSON, and tables(that) -> [(caption, head, rows)]."""
import part_costs
import part_deflate
import part_growth
import part_large
import part_latency
import part_life
import part_memory
import part_tail
import part_tls
import rounds
import table

PARTS = {
    "growth": part_growth,
    "tail": part_tail,
    "latency": part_latency,
    "memory": part_memory,
    "life": part_life,
    "costs": part_costs,
    "large": part_large,
    "deflate": part_deflate,
    "tls": part_tls,
}


def measure(name, kinds, n_rounds):
    part = PARTS[name]
    result = part.measure(kinds, n_rounds)
    print("\n" + part.TITLE)
    for caption, head, rows in part.tables(result):
        if caption:
            print(caption)
        print(table.text(head, rows))
    print(rounds.disturbed(result))
    return result

