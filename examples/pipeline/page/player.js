// Plays the frames one after the other.

const FRAME_MILLISECONDS = 250;

// `advance` shows the next frame and resolves when it is there, with false at the end. A store that is slow makes
// the player slow, and no frame is left out.
export function createPlayer(advance, changed) {
  let run = null;

  async function play() {
    const mine = (run = {});
    changed(true);
    while (run === mine) {
      const [more] = await Promise.all([advance(), wait(FRAME_MILLISECONDS)]);
      if (!more && run === mine) pause();
    }
  }

  function pause() {
    run = null;
    changed(false);
  }

  return { pause, toggle: () => (run ? pause() : play()) };
}

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
