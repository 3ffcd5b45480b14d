package models

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/bindery-go/bindery/internal/nearest"
)

// A nameList is the names that a request may use.
type nameList []string

// find returns an error for a name that is not in the list.
func (l nameList) find(name string, model reflect.Type) error {
	if err := atMost(len(name), MaxNameLength, "bytes in a name"); err != nil {
		return err
	}
	if slices.Contains(l, name) {
		return nil
	}
	return &UnknownColumnError{Model: model, Column: name, Columns: l, sent: true}
}

// orderHint says which columns an order may name.
func (l nameList) orderHint(name string) error {
	if len(l) == 0 {
		return reason{"no column to order by, since the call lists none: name those that it may have", unknownName}
	}
	return reason{fmt.Sprintf("no column to order by%s: there are %s", nearest.Hint(name, l), strings.Join(l, ", ")), unknownName}
}

// mistakes joins errors, but not all of a great many.
func mistakes(errs []error) error {
	var found []error
	more := 0
	for _, err := range errs {
		switch {
		case err == nil:
		case len(found) < maxMistakes:
			found = append(found, err)
		default:
			more++
		}
	}
	if more > 0 {
		found = append(found, &requestError{err: publicReason(fmt.Sprintf("and %d more mistakes", more))})
	}
	return errors.Join(found...)
}
