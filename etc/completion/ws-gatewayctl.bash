# bash completion for ws-gatewayctl(8), which is asked itself what may follow.
_ws_gatewayctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} first=1 found
	local IFS=$' \t\n'

	COMPREPLY=()
	while [ "$first" -lt "$COMP_CWORD" ]; do
		case ${COMP_WORDS[first]} in
		-s)	first=$((first + 2)) ;;
		-*)	first=$((first + 1)) ;;
		*)	break ;;
		esac
	done
	# Behind -s: its socket.
	if [ "$first" -gt "$COMP_CWORD" ]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames 2>/dev/null
		return
	fi
	found=$("$1" -C -- "${COMP_WORDS[@]:first:COMP_CWORD-first}" \
	    2>/dev/null | cut -f 1 | grep -v '^<')
	if [ "$first" -eq "$COMP_CWORD" ]; then
		case $cur in
		-*)	found="-h -j -s -V" ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$found" -- "$cur")
}
complete -F _ws_gatewayctl ws-gatewayctl
