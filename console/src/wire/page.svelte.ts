//! What the bar says of the page that is open: its name, and how fresh what it shows is.

class Page {
  title = $state('Overview');
  /** Server time of the snapshot on the screen. */
  asOfMs = $state<number | null>(null);
  /** How far the object itself is behind, where it is more than the snapshot's age. */
  lagMs = $state(0);

  show(title: string, asOfMs: number | null, lagMs = 0): void {
    this.title = title;
    if (asOfMs !== null) this.asOfMs = asOfMs;
    this.lagMs = lagMs;
  }
}

export const page = new Page();
