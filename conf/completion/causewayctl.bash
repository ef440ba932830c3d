# Completion of causewayctl in bash: it knows best itself. Where it offers nothing there may be files.
_causewayctl() {
  mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _causewayctl causewayctl
