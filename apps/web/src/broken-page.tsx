import { Component, type ReactNode } from 'react';

/** Says so when the page itself breaks, instead of showing nothing. */
export class BrokenPage extends Component<{ children: ReactNode }, { isBroken: boolean }> {
  override state = { isBroken: false };

  static getDerivedStateFromError(): { isBroken: boolean } {
    return { isBroken: true };
  }

  override render(): ReactNode {
    if (!this.state.isBroken) return this.props.children;
    return (
      <main className="alone">
        <p className="notice bad" role="alert">
          This page broke. What was sent is safe; reload the page to go on.
        </p>
      </main>
    );
  }
}
