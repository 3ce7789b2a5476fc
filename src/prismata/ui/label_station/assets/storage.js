// Where the browser keeps what is not at the server yet.

/** The browser's storage, or one that keeps nothing where the browser forbids it; the store says so. */
export function browserStorage() {
  try {
    window.localStorage.getItem("prismata.op");
    return window.localStorage;
  } catch {
    return {
      length: 0,
      key: () => null,
      getItem: () => null,
      removeItem: () => undefined,
      setItem: () => {
        throw new Error("This browser forbids storage.");
      },
    };
  }
}
