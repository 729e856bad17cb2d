/** `did you mean X?` for the right word that is nearest to a wrong one, or the list of all when none is near. */
export function nearest(wrong: string, right: readonly string[]): string {
  const ranked = right.map((word) => ({ word, distance: editDistance(wrong.toLowerCase(), word.toLowerCase()) }));
  const best = ranked.sort((a, b) => a.distance - b.distance)[0];
  if (best !== undefined && best.distance <= Math.max(2, Math.floor(best.word.length / 3)))
    return `did you mean ${best.word}?`;
  return `known: ${right.join(", ")}`;
}

/** Levenshtein's: single letters added, taken away or changed. */
export function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, substitution));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
