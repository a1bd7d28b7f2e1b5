# Completes `trellis` in bash: asks the program what may follow.
_trellis() {
    # For bash, words end at signs such as `:` and `=` as well. Those of `trellis` end at white space
    # alone, so they are put together again, and of what is offered bash gets its own last word.
    local rest=$COMP_LINE words=() index=-1 last=-1 kept="" piece place
    for ((place = 0; place < ${#COMP_WORDS[@]}; place++)); do
        piece=${COMP_WORDS[place]}
        if [[ $last == -1 || $rest == [[:space:]]* || $rest != "$piece"* ]]; then
            rest=${rest#"${rest%%[![:space:]]*}"}
            words[++last]=""
        elif ((index == last)); then
            # What stands behind the cursor in its word.
            rest=${rest#"$piece"}
            continue
        fi
        rest=${rest#"$piece"}
        if ((place == COMP_CWORD)); then
            index=$last
            # Behind such a sign a word begins that has nothing yet.
            if [[ -n $2 || $piece != [:=@]* ]]; then piece=$2; fi
            kept=${words[last]}${piece%"$2"}
        fi
        words[last]+=$piece
    done
    local IFS=$'\013' offered
    offered=$(TRELLIS_COMPLETE=bash _CLAP_IFS="$IFS" _CLAP_COMPLETE_INDEX="$index" \
        trellis -- "${words[@]}" 2>/dev/null) || offered=""
    COMPREPLY=()
    if [[ -z $offered ]]; then return; fi
    read -r -d '' -a COMPREPLY <<<"$offered"
    COMPREPLY[${#COMPREPLY[@]} - 1]=${COMPREPLY[${#COMPREPLY[@]} - 1]%$'\n'}
    COMPREPLY=("${COMPREPLY[@]#"$kept"}")
    # More is to come behind these.
    if [[ ${COMPREPLY[0]} == *[=/:] ]]; then compopt -o nospace 2>/dev/null; fi
}
complete -o bashdefault -o nosort -F _trellis trellis 2>/dev/null ||
    complete -o bashdefault -F _trellis trellis
