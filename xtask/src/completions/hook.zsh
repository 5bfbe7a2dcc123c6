
# `cargo xtask …` is completed as `cargo-xtask …`; anything else as before. Where this file is `_cargo-xtask` in `fpath`,
# the completion of cargo calls it by itself.
if [[ ${funcstack[1]} != _cargo-xtask ]]; then
    _cargo_or_xtask() {
        if (( CURRENT > 2 )) && [[ ${words[2]} == xtask ]]; then
            shift words
            (( CURRENT-- ))
            words[1]=cargo-xtask
            _cargo-xtask
        elif (( $+functions[_cargo] )); then
            _cargo "$@"
        else
            _default
        fi
    }
    compdef _cargo_or_xtask cargo
fi
