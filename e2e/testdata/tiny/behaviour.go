package main

const behaviour = "good"
