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

// maxKeyFile is more than a file of keys can have: another file was named.
const maxKeyFile = 16 << 10

// readCursorKeys reads a file with a key on each line. Lines that are empty or begin with "#" are passed over.
func readCursorKeys(name string) ([]models.CursorKey, error) {
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
		keys = append(keys, key)
	}
	switch {
	case len(keys) == 0:
		return nil, fmt.Errorf("%s has no key: write one to a line, made with openssl rand -base64 32", name)
	case len(keys) > maxCursorKeys:
		return nil, fmt.Errorf("%s has %d keys: at most %d. Take out those whose cursors may end", name, len(keys), maxCursorKeys)
	}
	return keys, nil
}

// badCursorKey is what is wrong with a key, without the package that says so.
func badCursorKey(err error) error {
	return errors.New(strings.TrimPrefix(err.Error(), models.ErrBadKey.Error()+": "))
}
