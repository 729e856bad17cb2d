import type { Call, Declaration, Flag } from "../programs/declaration.ts";

/**
 * Bash completion of every program, by the name it is called and as `autopatch PROGRAM`.
 * @param programs by the words that call each: `download.sh`, and `download` after `autopatch`
 */
export function bashCompletion(programs: ReadonlyMap<string, Declaration>): string {
  const commands = [...programs].flatMap(([word, declaration]) => cases(word, declaration));
  const linked = [...programs.values()].map(({ name }) => name).filter((name) => !name.includes(" "));
  return `# bash completion for AutoPatch, made from what its programs say of themselves
_autopatch() {
	local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} program=\${COMP_WORDS[0]##*/} first=1 words
	if [[ $program == autopatch ]]; then
		if ((COMP_CWORD == 1)); then
			mapfile -t COMPREPLY < <(compgen -W "${[...programs.keys(), "--help", "--version"].join(" ")}" -- "$cur")
			return
		fi
		program=\${COMP_WORDS[1]} first=2
	fi
	# Bash breaks words at the equals sign.
	if [[ $cur == "=" ]]; then
		cur=
	elif [[ $prev == "=" ]]; then
		prev=\${COMP_WORDS[COMP_CWORD-2]}
	fi
	local verb=
	((COMP_CWORD > first)) && verb=\${COMP_WORDS[first]}
	case "$program $verb $prev" in
${commands.flatMap(({ values }) => values).join("\n")}
	*)
		case "$program $verb" in
${commands.flatMap(({ words }) => words).join("\n")}
		*) words= ;;
		esac
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _autopatch autopatch ${linked.join(" ")}
`;
}

/** The branches for a program: values after a flag that has a list of them, then flags and verbs. */
function cases(word: string, declaration: Declaration): { values: string[]; words: string[] } {
  const names = word === declaration.name || declaration.name.includes(" ") ? [word] : [word, declaration.name];
  const patterns = (rest: string) => names.map((name) => `"${name} "${rest}`).join(" | ");
  const calls = Object.entries<Call>(declaration.verbs ?? {});
  const values = [declaration, ...calls.map(([, call]) => call)].flatMap(({ flags }) =>
    Object.entries<Flag>(flags).flatMap(([name, { oneOf }]) =>
      oneOf === undefined ? [] : [`\t${patterns(`*" --${name}"`)}) words="${oneOf.join(" ")}" ;;`],
    ),
  );
  const words = calls.map(([verb, call]) => `\t\t${patterns(verb)}) words="${flagWords(call)}" ;;`);
  const first = [...calls.map(([verb]) => verb), ...flagWords(declaration).split(" ")].join(" ");
  return { values: [...new Set(values)], words: [...words, `\t\t${patterns("*")}) words="${first}" ;;`] };
}

function flagWords({ flags }: Call): string {
  return [...Object.keys(flags), "help"].map((name) => `--${name}`).join(" ");
}
