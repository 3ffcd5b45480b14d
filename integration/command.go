package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// command returns a program that runs as the servers' user.
func (c *Cluster) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = c.workspace.path(scratchDir)
	cmd.Env = environment(cmd.Dir, c.workspace.path(programsDir))
	return cmd
}

// runCommand runs a program as the servers' user and waits for its end.
func (c *Cluster) runCommand(ctx context.Context, program string, args ...string) error {
	return c.runCommandWith(ctx, "", program, args...)
}

// runCommandWith is runCommand for a program that reads input.
func (c *Cluster) runCommandWith(ctx context.Context, input, program string, args ...string) error {
	output, err := os.CreateTemp(c.workspace.dir, "output-")
	if err != nil {
		return err
	}
	defer func() { _ = output.Close() }() // only read below, by name
	cmd := c.command(program, args...)
	cmd.Stdout, cmd.Stderr = output, output
	if input != "" {
		cmd.Stdin = strings.NewReader(input)
	}
	prepareFork(cmd, c.workspace.as, sigKill)
	if err := c.launcher.finish(ctx, cmd); err != nil {
		return commandError(filepath.Base(program), err, c.workspace.tail(output.Name(), 0))
	}
	return os.Remove(output.Name())
}

// environment is what a server's programs see of ours: nothing that would redirect them, such as
// PGDATA, MYSQL_HOME or NOTIFY_SOCKET.
func environment(home, programs string) []string {
	env := []string{"HOME=" + home, "TMPDIR=" + home, "LC_ALL=C", "TZ=UTC",
		"PATH=" + programs + string(os.PathListSeparator) + os.Getenv("PATH")}
	for _, name := range []string{"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// commandError says which program failed and what it wrote.
func commandError(program string, err error, output string) error {
	if output == "" {
		return fmt.Errorf("%s: %w", program, err)
	}
	return fmt.Errorf("%s: %w\n%s", program, err, output)
}
