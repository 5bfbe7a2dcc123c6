
# `cargo xtask …` is completed as `cargo_xtask …`; anything else as before.
_cargo_xtask_before="$(complete -p cargo 2>/dev/null)"
case "$_cargo_xtask_before" in
    *_cargo_or_xtask*) unset _cargo_xtask_before ;;
    *" -F "*)
        _cargo_xtask_before="${_cargo_xtask_before##* -F }"
        _cargo_xtask_other="${_cargo_xtask_before%% *}"
        unset _cargo_xtask_before
        ;;
esac

_cargo_or_xtask() {
    if [[ ${COMP_WORDS[1]} == xtask && $COMP_CWORD -ge 2 ]]; then
        COMP_WORDS=(cargo_xtask "${COMP_WORDS[@]:2}")
        COMP_CWORD=$((COMP_CWORD - 1))
        local before="$3"
        if [[ $COMP_CWORD -eq 1 ]]; then
            before=cargo_xtask
        fi
        _cargo_xtask cargo_xtask "$2" "$before"
    elif [[ -n ${_cargo_xtask_other-} ]]; then
        "$_cargo_xtask_other" "$@"
    fi
}

complete -F _cargo_or_xtask -o bashdefault -o default cargo
