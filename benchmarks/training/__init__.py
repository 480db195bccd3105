from thawline.runtime import openmp

openmp.wait_briefly()  # as stages do, before torch is there
