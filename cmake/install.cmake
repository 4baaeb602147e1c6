# The program, what bash completes for it, and what to read.
include(GNUInstallDirs)
install(TARGETS airlock RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES README.md CHANGELOG.md LICENSE NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR})
if(AIRLOCK_STATIC)
  install(FILES THIRD-PARTY DESTINATION ${CMAKE_INSTALL_DOCDIR})
endif()

# It comes out of the program, so it is there only where what is built runs.
if(NOT CMAKE_CROSSCOMPILING)
  add_custom_command(OUTPUT completion.bash
    COMMAND airlock completion bash > completion.bash DEPENDS airlock)
  add_custom_target(completions ALL DEPENDS completion.bash)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/completion.bash
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME airlock)
endif()
