package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func (a *app) manCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:     "man",
		Short:   "Write the manual's pages",
		Long:    `man writes the manual page of bindery to standard output; with --dir, a page for each command into a folder, which is made if it is missing.`,
		Example: "  bindery man | man -l -\n  bindery man --dir /usr/local/share/man/man1",
		Args:    cobra.NoArgs,
	}
	cmd.RunE = a.doing(0, func(context.Context, []string) error {
		root := cmd.Root()
		root.DisableAutoGenTag = true
		header := &doc.GenManHeader{Title: "BINDERY", Section: "1", Source: "bindery " + version(), Manual: "bindery"}
		if dir == "" {
			return doc.GenMan(root, header, a.out)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("man: %w", err)
		}
		header.Title = "" // each page has its command's
		if err := doc.GenManTree(root, header, dir); err != nil {
			return fmt.Errorf("man: %w", err)
		}
		pages, err := filepath.Glob(filepath.Join(dir, "bindery*.1"))
		if err == nil && len(pages) == 0 {
			err = errors.New("man: no page was written")
		}
		return err
	})
	cmd.Flags().StringVar(&dir, "dir", "", "the `folder` to write to")
	_ = cmd.MarkFlagDirname("dir")
	return cmd
}
