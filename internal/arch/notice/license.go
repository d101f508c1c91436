package notice

import (
	"slices"
	"strings"
)

// License is the SPDX identifier of a known licence.
type License string

// Unknown is the licence of a text that is none, or not known.
const Unknown License = ""

// phrases are what the texts of licences contain, the most special first. A program may be
// linked with all of these and shipped in binary form with their texts.
var phrases = []struct {
	license License
	all     []string
}{
	{"MPL-2.0", []string{"mozilla public license", "2.0"}},
	{"Apache-2.0", []string{"apache license", "version 2.0"}},
	{"Unicode-3.0", []string{"unicode license"}},
	{"ISC", []string{"permission to use, copy, modify, and", "distribute this software for any purpose with or without fee"}},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms", "neither the name"}},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms", "may not be used to endorse"}},
	{"BSD-2-Clause", []string{"redistribution and use in source and binary forms"}},
	{"MIT", []string{"permission is hereby granted, free of charge", "permission notice shall be included"}},
	{"MIT-0", []string{"permission is hereby granted, free of charge"}},
	{"CC0-1.0", []string{"cc0 1.0 universal"}},
	{"CC-BY-4.0", []string{"creative commons", "attribution"}},
	{"Unlicense", []string{"this is free and unencumbered software"}},
	{"LicenseRef-PublicDomain", []string{"have been put into the public domain"}},
	{"Zlib", []string{"this software is provided 'as-is', without any express or implied", "altered source versions"}},
}

// copyleft are licences under which a whole program would have to be published. A text that
// begins with one is not known; others name them beside a choice.
var copyleft = []string{"gnu general public license", "gnu affero general public license", "gnu lesser general public license"}

// maxTitle is where the name of a licence is its title.
const maxTitle = 40

// Classify returns the licence that a text is, or begins with.
func Classify(text string) License {
	words := strings.Join(strings.Fields(strings.ToLower(text)), " ")
	for _, name := range copyleft {
		if i := strings.Index(words, name); i >= 0 && i < maxTitle {
			return Unknown
		}
	}
	for _, p := range phrases {
		if containsAll(words, p.all) {
			return p.license
		}
	}
	return Unknown
}

func containsAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// Licenses returns the licences of a component: none if none of its files is known.
func (c Component) Licenses() []License {
	var out []License
	for _, t := range c.Notices {
		if t.License != Unknown && !slices.Contains(out, t.License) {
			out = append(out, t.License)
		}
	}
	return out
}
