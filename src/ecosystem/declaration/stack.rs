//! Where in a configuration file an error was thrown: the frames of a JavaScript stack that are the user's own.

/// How many of them are shown.
const FRAMES: usize = 5;

/// The lines of `stack` that are of use to the one who wrote the file: what was thrown, and where in his own files. Those of
/// the interpreter, and of what evaluates the file, are left out.
#[must_use]
pub fn trim(stack: &str) -> Vec<String> {
    let is_frame = |line: &&str| line.trim_start().starts_with("at ");
    let says_something = |line: &&str| !line.trim().is_empty();
    let message = stack.lines().take_while(|line| !is_frame(line)).filter(says_something);
    let frames = stack.lines().filter(is_frame).filter(|line| is_own(line)).take(FRAMES);
    message.chain(frames).map(|line| line.trim_end().replace("file://", "")).collect()
}

fn is_own(frame: &str) -> bool {
    const FOREIGN: [&str; 6] = ["node:", "[eval]", "native:", "bun:", "(native)", "(<anonymous>)"];
    frame.contains('/') && !FOREIGN.iter().any(|foreign| frame.contains(foreign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_users_own_frames_are_left() {
        let stack = "TypeError: Cannot read properties of undefined (reading 'port')
    at port (/app/config/ports.js:3:17)
    at Object.<anonymous> (file:///app/ecosystem.config.mjs:5:9)
    at ModuleJob.run (node:internal/modules/esm/module_job:343:25)
    at async main ([eval]:20:13)
    at new Promise (<anonymous>)";
        insta::assert_snapshot!(trim(stack).join("\n"), @r"
        TypeError: Cannot read properties of undefined (reading 'port')
            at port (/app/config/ports.js:3:17)
            at Object.<anonymous> (/app/ecosystem.config.mjs:5:9)
        ");
    }

    #[test]
    fn the_line_that_cannot_be_read_is_shown() {
        let stack = "/app/ecosystem.config.js:3
  apps: [,,
         ^

SyntaxError: Unexpected token ','
    at wrapSafe (node:internal/modules/cjs/loader:1464:18)";
        insta::assert_snapshot!(trim(stack).join("\n"), @r"
        /app/ecosystem.config.js:3
          apps: [,,
                 ^
        SyntaxError: Unexpected token ','
        ");
        assert!(trim("").is_empty());
    }
}
