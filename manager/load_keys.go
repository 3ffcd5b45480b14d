package manager

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bindery-go/bindery/models"
)

// keySource is where a bind's keys for cursors stand.
type keySource struct {
	file    string // cursor_keys_file; "" if there is none
	written bool   // in the configuration itself
}

// cursorKeys reads cursor_keys, or the file that cursor_keys_file names. It returns nil if there is neither.
func (s *section) cursorKeys() ([]models.CursorKey, keySource) {
	list, file := s.strings("cursor_keys"), s.str("cursor_keys_file")
	if file == "" {
		s.noEmptyFile("cursor_keys_file")
		if s.table["cursor_keys"] != nil && len(list) == 0 {
			s.fail("cursor_keys", "must be a list of keys, one at least: leave it out to have a random one for each process")
		}
		keys := make([]models.CursorKey, 0, len(list))
		for i, text := range list {
			key, err := models.ParseCursorKey(text)
			if err != nil {
				s.l.fail(append(s.at("cursor_keys"), strconv.Itoa(i)), badCursorKey(err))
				continue
			}
			keys = append(keys, key)
		}
		if len(list) == 0 {
			return nil, keySource{}
		}
		raw, _ := s.table["cursor_keys"].([]any)
		return keys, keySource{written: slices.ContainsFunc(raw, func(v any) bool { _, written := v.(string); return written })}
	}
	if s.table["cursor_keys"] != nil {
		s.fail("cursor_keys_file", "cursor_keys is given, too: keep one of them")
		return nil, keySource{}
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(filepath.Dir(s.l.file), file)
	}
	keys, err := readCursorKeys(file)
	if err != nil {
		s.l.fail(s.at("cursor_keys_file"), err)
		return nil, keySource{}
	}
	return keys, keySource{file: file}
}

// noEmptyFile refuses the name of a file that is empty: who wrote it wants one.
func (s *section) noEmptyFile(name string) {
	if v, ok := s.table[name].(string); ok && v == "" {
		s.fail(name, "must be the name of a file: leave it out to have none")
	}
}

// regular refuses what is no regular file before it is opened: to open a named pipe waits for who writes it. A file that is not there is
// for who opens it.
func regular(name string) error {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", name)
	}
	return nil
}

// sameKeys finds a key that is there twice.
func sameKeys(keys []models.CursorKey) (first, second int, found bool) {
	for second = range keys {
		if first = slices.IndexFunc(keys[:second], keys[second].Equal); first >= 0 {
			return first, second, true
		}
	}
	return 0, 0, false
}

// maxKeyFile is more than a file of keys can have: another file was named.
const maxKeyFile = 16 << 10

// readCursorKeys reads a file with a key on each line. Lines that are empty or begin with "#" are passed over.
func readCursorKeys(name string) ([]models.CursorKey, error) {
	if err := regular(name); err != nil {
		return nil, err
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("%s is no file of keys: it is longer than %d bytes", name, maxKeyFile)
	}
	var keys []models.CursorKey
	var numbers []int // of their lines
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, err := models.ParseCursorKey(line)
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", name, n, badCursorKey(err))
		}
		keys, numbers = append(keys, key), append(numbers, n)
	}
	switch {
	case len(keys) == 0:
		return nil, fmt.Errorf("%s has no key: write one to a line, made with openssl rand -base64 32", name)
	case len(keys) > maxCursorKeys:
		return nil, fmt.Errorf("%s has %d keys: at most %d. Take out those whose cursors may end", name, len(keys), maxCursorKeys)
	}
	if first, second, found := sameKeys(keys); found {
		return nil, fmt.Errorf("%s has the same key in lines %d and %d: take one of them out", name, numbers[first], numbers[second])
	}
	return keys, nil
}

// badCursorKey is what is wrong with a key, without the package that says so.
func badCursorKey(err error) error {
	return errors.New(strings.TrimPrefix(err.Error(), models.ErrBadKey.Error()+": "))
}
