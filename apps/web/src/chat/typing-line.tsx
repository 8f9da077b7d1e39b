/** Who is writing. It keeps its place, so that nothing jumps. */
export function TypingLine({ members }: { members: readonly string[] }) {
  return (
    <p className="typing faint" role="status">
      {members.length === 0
        ? null
        : members.length > 3
          ? 'Several people are typing …'
          : `${members.join(', ')} ${members.length === 1 ? 'is' : 'are'} typing …`}
    </p>
  );
}
