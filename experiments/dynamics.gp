# Training dynamics of a run: gnuplot -c dynamics.gp metrics.csv out.svg title
# The four panels of the paper's Figure 2, from the epoch table of the run.
csv = ARG1
out = ARG2
name = ARG3
set terminal svg size 1000,720 dynamic font "sans-serif,13" background "#ffffff"
set output out
set datafile separator ","
set key autotitle columnhead
set grid lc rgb "#e0e0e0"
set border 3
set tics nomirror
set xlabel "epoch"
set style data linespoints
set pointsize 0.5
set multiplot layout 2,2 title name." (means over each epoch)" font ",16"

set title "Losses"
set ylabel "loss"
set key top right
plot csv using (column("epoch")+1):"g_loss" title "generator" lw 2 lc rgb "#2060b0", \
     csv using (column("epoch")+1):"c_loss" title "critic" lw 2 lc rgb "#b03030"

set title "Critic distance"
set ylabel "Wasserstein estimate"
set key top left
plot csv using (column("epoch")+1):"wasserstein_d" title "mean real - mean fake" lw 2 lc rgb "#308040", \
     0 title "" with lines dt 2 lc rgb "#808080"

set title "Audit"
set ylabel "violation |m - c|"
set y2label "mean |D(x)|"
set y2tics
set key top right
plot csv using (column("epoch")+1):"violations" title "violation (left)" lw 2 lc rgb "#7040a0", \
     csv using (column("epoch")+1):"pattern_strength" axes x1y2 title "pattern strength (right)" lw 2 lc rgb "#40a0a0"

set title "Soft gate"
set ylabel "temperature"
set y2label "scale"
set key center right
plot csv using (column("epoch")+1):"temperature" title "temperature (left)" lw 2 lc rgb "#d08020", \
     csv using (column("epoch")+1):"scale" axes x1y2 title "scale (right)" lw 2 lc rgb "#805030"
unset multiplot
