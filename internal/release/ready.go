package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// checkVersion returns an error if Go does not accept the version for a module whose path has no
// suffix such as /v2.
func checkVersion(version string) error {
	switch {
	case !semver.IsValid(version) || semver.Canonical(version) != version:
		return fmt.Errorf("%q is no version of a Go module: want vMAJOR.MINOR.PATCH, such as v0.1.0 or v0.1.0-rc.1", version)
	case module.IsPseudoVersion(version):
		return fmt.Errorf("%s reads like a pseudo-version, which Go takes from a commit and not from a tag", version)
	}
	if major := semver.Major(version); major != "v0" && major != "v1" {
		return fmt.Errorf("%s: from v2 on the path of a module needs the major version at its end, here /%s (https://go.dev/ref/mod#major-version-suffixes); change the module paths first", version, major)
	}
	return nil
}

const changelog = ".github/CHANGELOG.md"

// ready returns all reasons why a version cannot be made from the tree.
func (t *tree) ready(ctx context.Context, version string) error {
	text, err := t.read(changelog)
	if err == nil {
		err = checkChangelog(string(text), version)
	}
	return errors.Join(t.clean(ctx), err, t.untagged(ctx, version))
}

// section matches a heading of the changelog for a version or for unreleased changes.
var section = regexp.MustCompile(`^## \[?(Unreleased\b|v?[0-9][0-9A-Za-z.-]*)`)

// checkChangelog requires a section with content for the version, and an empty section Unreleased,
// because the version contains all changes.
func checkChangelog(text, version string) error {
	lines := map[string]int{} // number of lines of text below each heading
	var current string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "## ") {
			current = ""
			if found := section.FindStringSubmatch(line); found != nil {
				current = strings.TrimPrefix(found[1], "v")
				if _, twice := lines[current]; twice {
					return fmt.Errorf("%s: two sections %s", changelog, current)
				}
				lines[current] = 0
			}
			continue
		}
		if line != "" && !strings.HasPrefix(line, "#") {
			lines[current]++
		}
	}
	number := strings.TrimPrefix(version, "v")
	count, there := lines[number]
	switch {
	case !there:
		return fmt.Errorf("%s: no section \"## %s\"", changelog, number)
	case count == 0:
		return fmt.Errorf("%s: the section %s is empty", changelog, number)
	case lines["Unreleased"] > 0:
		return fmt.Errorf("%s: the section Unreleased is not empty; all of it is in %s, so move it there", changelog, version)
	}
	return nil
}

// untagged returns an error if a tag of the version exists: a proxy serves a version forever once
// it has fetched it, so no tag is moved.
func (t *tree) untagged(ctx context.Context, version string) error {
	list, err := git(ctx, t.root, "tag", "--list", version, "*/"+version)
	if err != nil {
		return err
	}
	if tags := strings.Fields(list); len(tags) > 0 {
		return fmt.Errorf("%s is tagged already: %s", version, strings.Join(tags, " "))
	}
	return nil
}
